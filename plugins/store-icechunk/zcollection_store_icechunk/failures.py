"""The translation of errors of Icechunk to errors of zcollection."""

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
"""Substrings of errors about an existing object that cannot be decoded; they differ between releases of Icechunk."""

_NEWER: Final = ("please upgrade the icechunk", "invalid spec version")
_REMOTE: Final = (
    ("dns error", "the endpoint's name cannot be resolved", "check the endpoint"),
    (
        "connection refused",
        "the connection was refused, because nothing listens at the endpoint",
        "check its host and port",
    ),
    ("corrupt message", "the endpoint does not speak TLS, as https:// does", "check its port, or use http://"),
    ("certificate", "the endpoint's certificate is not accepted", "check the endpoint, or trust its issuer"),
    (
        "nosuchbucket",
        "there is no such bucket",
        "check its name and the endpoint: buckets are not created automatically",
    ),
    ("accessdenied", "access is denied", "check the credentials and their permissions"),
    ("expiredtoken", "the token has expired", "obtain new credentials"),
    (
        "service error",
        "the server refuses the request or fails, and icechunk does not say why",
        "check the bucket's name, its region, and the credentials, which may have expired",
    ),
    (
        "dispatch failure",
        "the server does not answer",
        "check the server and the connection, and run the operation again",
    ),
)
"""Substrings of errors of object storage, each with a reason and the next step; the first match is used."""

_PANICS: Final = frozenset({"PanicException", "RustPanic"})
_SCARCE: Final = "too many open files"
_ABSENT: Final = "repository doesn't exist"


def is_missing(error: BaseException) -> bool:
    """Return whether an error only says that a node or a name does not exist; the messages differ between releases."""
    return isinstance(error, KeyError) or _contains(error, _MISSING)


def is_no_repository(error: BaseException) -> bool:
    """Return whether an error says that there is no repository."""
    return _contains(error, (_ABSENT,))


def _contains(error: BaseException, texts: tuple[str, ...]) -> bool:
    return isinstance(error, icechunk.IcechunkError) and any(text in str(error).lower() for text in texts)


class translated:  # noqa: N801 - used like a function
    """A context manager that translates errors of Icechunk to errors of zcollection, with the action, the URL and the next step.

    Parameters
    ----------
    url
        The URL of the store.
    action
        The action in words, such as "read 'zarr.json' in".
    by_name
        Whether the caller named the requested object; if so, a missing object is not damage.
    """

    __slots__ = ("_action", "_by_name", "_url")

    def __init__(self, url: StoreURL, action: str, *, by_name: bool = False) -> None:
        self._url = url
        self._action = action
        self._by_name = by_name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # The exception of a Rust panic is not an `Exception`, and would end the event loop.
        is_translated = (
            isinstance(error, icechunk.IcechunkError | KeyError | OSError) or type(error).__name__ in _PANICS
        )
        if error is not None and is_translated:
            raise self._translation(error) from None  # the original may contain options

    def _translation(self, error: BaseException) -> CorruptionError | FormatVersionError | StoreError:
        what = f"cannot {self._action} {self._url}: {_reason(error)}"
        if _contains(error, _NEWER):
            message = (
                f"{what}; icechunk {icechunk.__version__} is too old for it: install a newer release, which may need a newer "
                f"Python, or create repositories with spec_version=1, which all releases can read"
            )
            return FormatVersionError(message)
        if _SCARCE in str(error).lower():
            return StoreError(f"{what}; close some, or raise the limit (ulimit -n), and run the operation again")
        is_lost = _contains(error, _LOST)
        if _contains(error, _DAMAGED) or (is_lost and not self._by_name):
            return damage(what)
        if is_lost:
            return StoreError(f"{what}; open the collection again, or see history(): a vacuum removes old snapshots")
        causes = _causes(error)
        remote = next((advice for text, *advice in _REMOTE if text in causes), None)
        if remote is not None:
            return StoreError(f"cannot {self._action} {self._url}: {'; '.join(remote)}")
        return StoreError(f"{what}; check the repository, and run the operation again")


def damage(what: str) -> CorruptionError:
    """Return the error for a damaged repository."""
    message = (
        f"{what}; an object of the repository is lost or damaged: restore it from a copy, or read an earlier snapshot "
        f"with at="
    )
    return CorruptionError(message)


def _reason(error: BaseException) -> str:
    """Return the first line of an error; the other lines are the trace of Icechunk."""
    lines = [line.strip(" \t|x`->") for line in str(error).splitlines()]
    return next(filter(None, lines), type(error).__name__)


def _causes(error: BaseException) -> str:
    """Return the lines of an error that contain its causes; other lines quote names given by the caller.

    For object storage, Icechunk 2 writes all causes to the first line.
    """
    first, *rest = [line.strip() for line in str(error).lower().strip().splitlines()] or [""]
    causes = [line for line in rest if line.startswith(("|->", "`->"))]
    is_of_storage = first.strip(" x").startswith("object store error")
    return "\n".join([first, *causes] if is_of_storage else causes)
