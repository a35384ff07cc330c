"""What Icechunk refuses, told as errors of zcollection."""

from types import TracebackType
from typing import Final, Self

import icechunk

from zcollection.plugin import CorruptionError, FormatVersionError, StoreError, StoreURL

_MISSING: Final = (
    "node not found",
    "only prefixes pointing to a group or array",
    "ref not found",
    "invalid chunk index",
)

_LOST: Final = (
    "object not found",
    "snapshot not found",
    "nosuchkey",
    "no such key",
    "no such file",
    "no data in memory",
)

_DAMAGED: Final = (
    "invalid magic numbers",
    "invalid icechunk header",
    "invalid icechunk metadata",
    "invalid file type",
    "invalid compression",
    "cannot serialize ref json",
    "requested range was invalid",
    "invalidrange",
    "range not satisfiable",
    "data corruption",
    "deserializ",
    "i/o error",
)
"""What is said of an object of the repository that is there, and cannot be decoded; releases of Icechunk differ."""

_NEWER: Final = ("please upgrade the icechunk", "invalid spec version")
_REMOTE: Final = (
    ("dns error", "the endpoint's name cannot be resolved", "check the endpoint"),
    (
        "connection refused",
        "the connection was refused, for nothing listens at the endpoint",
        "check its host and port",
    ),
    ("corrupt message", "the endpoint does not speak TLS, as https:// does", "check its port, or use http://"),
    ("certificate", "the endpoint's certificate is not accepted", "check the endpoint, or trust who issued it"),
    ("nosuchbucket", "there is no such bucket", "check its name and the endpoint: a bucket is not created"),
    ("accessdenied", "access is denied", "check the credentials, and what they permit"),
    ("expiredtoken", "the token has expired", "obtain new credentials"),
    (
        "service error",
        "the server refuses the request or fails, and icechunk does not say why",
        "check the bucket's name, its region, and the credentials, which may have expired",
    ),
    (
        "dispatch failure",
        "the server does not answer",
        "see to the server and the connection, and run the operation again",
    ),
)
"""What is said of object storage, what it means, and the next step; the first one holds."""

_PANICS: Final = frozenset({"PanicException", "RustPanic"})
_SCARCE: Final = "too many open files"
_ABSENT: Final = "repository doesn't exist"


def is_missing(error: BaseException) -> bool:
    """Return whether an error only says that a node, or a name, is not there; releases of Icechunk tell it differently."""
    return isinstance(error, KeyError) or _says(error, _MISSING)


def is_no_repository(error: BaseException) -> bool:
    """Return whether an error says that there is no repository."""
    return _says(error, (_ABSENT,))


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    return isinstance(error, icechunk.IcechunkError) and any(text in str(error).lower() for text in texts)


class telling:  # noqa: N801 - read as the verb that it is
    """A block in which an error of Icechunk becomes one of ours that says what could not be done, where, and what to do.

    Parameters
    ----------
    url
        Of the store.
    action
        What is tried, such as "read 'zarr.json' in".
    by_name
        Whether the caller has named what is looked for, which then need not be there.
    """

    __slots__ = ("_action", "_by_name", "_url")

    def __init__(self, url: StoreURL, action: str, *, by_name: bool = False) -> None:
        self._url = url
        self._action = action
        self._by_name = by_name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # What Rust panics with is no `Exception`, and would end the event loop with all that runs there.
        foreign = isinstance(error, icechunk.IcechunkError | KeyError | OSError) or type(error).__name__ in _PANICS
        if error is not None and foreign:
            raise self._told(error) from None  # the original may show options

    def _told(self, error: BaseException) -> CorruptionError | FormatVersionError | StoreError:
        what = f"cannot {self._action} {self._url}: {_reason(error)}"
        if _says(error, _NEWER):
            message = (
                f"{what}; icechunk {icechunk.__version__} is too old for it: install a newer one, which may need a newer "
                f"Python, or create repositories with spec_version=1, which all releases read"
            )
            return FormatVersionError(message)
        if _SCARCE in str(error).lower():
            return StoreError(f"{what}; close some, or raise the limit (ulimit -n), and run the operation again")
        is_lost = _says(error, _LOST)
        if _says(error, _DAMAGED) or (is_lost and not self._by_name):
            return damage(what)
        if is_lost:
            return StoreError(f"{what}; open the collection again, or see history(): a vacuum removes what is old")
        causes = _causes(error)
        remote = next((told for text, *told in _REMOTE if text in causes), None)
        if remote is not None:
            return StoreError(f"cannot {self._action} {self._url}: {'; '.join(remote)}")
        return StoreError(f"{what}; see to the repository, and run the operation again")


def damage(what: str) -> CorruptionError:
    """Return the error that says that the repository is damaged."""
    message = (
        f"{what}; an object of the repository is lost or damaged: restore it from a copy, or read an earlier snapshot "
        f"with at="
    )
    return CorruptionError(message)


def _reason(error: BaseException) -> str:
    """Return the first line of what an error says: below stands how Icechunk came there."""
    lines = [line.strip(" \t|x`->") for line in str(error).splitlines()]
    return next(filter(None, lines), type(error).__name__)


def _causes(error: BaseException) -> str:
    """Return the lines that name an error and what it came from; the others quote names of the caller's.

    Of object storage Icechunk 2 says all of it in the first line.
    """
    first, *rest = [line.strip() for line in str(error).lower().strip().splitlines()] or [""]
    causes = [line for line in rest if line.startswith(("|->", "`->"))]
    is_of_storage = first.strip(" x").startswith("object store error")
    return "\n".join([first, *causes] if is_of_storage else causes)
