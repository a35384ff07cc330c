"""Exhausted system resources (open files, memory, threads): errors that name the limit and the next step."""

import errno
import os
from contextlib import ContextDecorator, ExitStack
from functools import cache
from types import TracebackType
from typing import Final

from zcollection.errors import StoreError

_SPARE: Final = 24
"""Number of files that a library written in Rust may open when it is first used, with a margin."""

_SCARCE: Final = {
    errno.EMFILE: "close some, or raise the limit (ulimit -n)",
    errno.ENFILE: "the whole system has too many: close some",
    errno.ENOMEM: "free some memory",
}


def shortage(error: BaseException) -> StoreError | None:
    """Return the `StoreError` for an error caused by an exhausted resource; None for any other error."""
    if isinstance(error, OSError) and error.errno in _SCARCE:
        return StoreError(f"{os.strerror(error.errno)}; {_SCARCE[error.errno]}, and run the operation again")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return StoreError("no more threads can be started; raise the limit (ulimit -u), and run the operation again")
    return None


class reporting_shortage(ContextDecorator):  # noqa: N801 - used as a decorator
    """Context manager and decorator that raises an error caused by an exhausted resource as a `StoreError`."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        reported = None if error is None else shortage(error)
        if reported is not None:
            raise reported from error


@cache
def ensure_spare_files(library: str) -> None:
    """Check that the process can open the files that a Rust library needs to initialise: a failed initialisation cannot be retried.

    The result is cached: after the first success for a library, nothing is checked any more.

    Parameters
    ----------
    library
        Name of the library.

    Raises
    ------
    StoreError
        The process cannot open enough files.
    """
    del library  # only the key of the cache
    with reporting_shortage(), ExitStack() as spare:
        for _ in range(_SPARE):
            spare.callback(os.close, os.open(os.devnull, os.O_RDONLY))
