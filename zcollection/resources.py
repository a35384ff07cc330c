"""Exhausted system resources (open files, memory, threads): errors that name the limit and the next step."""

import errno
import os
from contextlib import ContextDecorator, ExitStack
from functools import cache
from types import TracebackType
from typing import Final

from zcollection.errors import StoreError

_SPARE: Final = 24
"""Files that a library written in Rust may open when it is first used, and some more."""

_SCARCE: Final = {
    errno.EMFILE: "close some, or raise the limit (ulimit -n)",
    errno.ENFILE: "the whole system has too many: close some",
    errno.ENOMEM: "free some memory",
}


def shortage(error: BaseException) -> StoreError | None:
    """Return the `StoreError` for an error that reports an exhausted resource; None for every other error."""
    if isinstance(error, OSError) and error.errno in _SCARCE:
        return StoreError(f"{os.strerror(error.errno)}; {_SCARCE[error.errno]}, and run the operation again")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return StoreError("no more threads can be started; raise the limit (ulimit -u), and run the operation again")
    return None


class telling_shortage(ContextDecorator):  # noqa: N801 - read as the verb that it is
    """A block, or a decorated function, in which an error of an exhausted resource is raised as a `StoreError`."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        told = None if error is None else shortage(error)
        if told is not None:
            raise told from error


@cache
def ensure_spare_files(library: str) -> None:
    """Check, until it was so once, that as many files can be opened as a library of Rust needs to begin: it cannot begin twice.

    Parameters
    ----------
    library
        Which.

    Raises
    ------
    StoreError
        There are too few.
    """
    del library  # each is asked for once
    with telling_shortage(), ExitStack() as spare:
        for _ in range(_SPARE):
            spare.callback(os.close, os.open(os.devnull, os.O_RDONLY))
