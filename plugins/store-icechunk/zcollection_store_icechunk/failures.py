"""What Icechunk refuses, told as errors of zcollection."""

from types import TracebackType
from typing import Final, Self

import icechunk

from zcollection.plugin import StoreError, StoreURL

_MISSING: Final = (
    "node not found",
    "only prefixes pointing to a group or array",
    "ref not found",
    "invalid chunk index",
)


def is_missing(error: BaseException) -> bool:
    """Return whether an error only says that a node, or a name, is not there; releases of Icechunk tell it differently."""
    if isinstance(error, KeyError):
        return True
    return isinstance(error, icechunk.IcechunkError) and any(text in str(error).lower() for text in _MISSING)


class telling:  # noqa: N801 - read as the verb that it is
    """A block in which an error of Icechunk becomes a `StoreError` that says what could not be done, and where.

    Parameters
    ----------
    url
        Of the store.
    action
        What is tried, such as "read 'zarr.json' in".
    """

    __slots__ = ("_action", "_url")

    def __init__(self, url: StoreURL, action: str) -> None:
        self._url = url
        self._action = action

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, icechunk.IcechunkError | KeyError | OSError):
            message = f"cannot {self._action} {self._url}: {_reason(error)}; see to the repository, and run the operation again"
            raise StoreError(message) from None  # the original may show options


def _reason(error: BaseException) -> str:
    """Return the first line of what an error says: below stands how Icechunk came there."""
    lines = [line.strip(" \t|x`->") for line in str(error).splitlines()]
    return next(filter(None, lines), type(error).__name__)
