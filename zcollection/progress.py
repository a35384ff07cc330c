"""Progress of long operations, shown as a bar or reported to a function of the caller."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zcollection.errors import SettingError

ProgressOption = bool | Callable[[int, int], None] | None
"""True for a progress bar (if standard error is a terminal), a function of (done, total), or None or False for none."""


@contextmanager
def tracking(option: ProgressOption, total: int, description: str) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each of `total` steps.

    Parameters
    ----------
    option
        How to report progress.
    total
        Number of steps.
    description
        Name of the operation, shown in front of the bar.

    Raises
    ------
    SettingError
        `option` has another type.
    """
    if not (option is None or isinstance(option, bool) or callable(option)):
        message = f"progress={option!r}; accepted: True, False, None, or a function of (done, total)"
        raise SettingError(message)
    if not option or total == 0:
        yield lambda: None
    elif callable(option):
        yield _counting(option, total)
    elif sys.stderr.isatty():
        with _bar(total, description) as advance:
            yield advance
    else:
        yield lambda: None


def _counting(report: Callable[[int, int], None], total: int) -> Callable[[], None]:
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        report(done, total)

    return advance


@contextmanager
def _bar(total: int, description: str) -> Iterator[Callable[[], None]]:
    try:
        from rich.progress import Progress
    except ImportError:
        with _plain_bar(total, description) as advance:
            yield advance
        return
    from rich.console import Console

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def _plain_bar(total: int, description: str) -> Iterator[Callable[[], None]]:
    """Write a counter to the terminal if rich is not installed."""

    def show(done: int, total: int) -> None:
        sys.stderr.write(f"\r{description}: {done}/{total}")
        sys.stderr.flush()

    try:
        yield _counting(show, total)
    finally:
        sys.stderr.write("\n")
