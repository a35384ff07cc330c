"""One version of a collection as its record says it: a change that was committed, or is about to be."""

import datetime as dt
import os
import socket
from functools import cached_property
from typing import Any, Final, Self

from attrs import field, frozen, validators

from zcollection.errors import CorruptionError, ZCollectionError
from zcollection.model import documents
from zcollection.model.names import ancestors
from zcollection.transaction.documents import IMMUTABLE, TRANSACTIONS, PartitionRecord, validate_path
from zcollection.transaction.index.partitions import Partitions
from zcollection.transaction.places import Place

_KIND: Final = "version"
_WITH_PENDING: Final = 2
"""Format version of a record with pending versions."""

_WITH_KEPT: Final = 3
"""Format version of a record of which something is kept, or that puts back an older version."""

_TRANSACTION: Final = b'"transaction": "%s"'
_IS_ID: Final = validators.matches_re(r"[0-9a-f]{32}")
IS_VERSION: Final = [validators.instance_of(int), validators.ge(0), validators.lt(10**18)]
"""What numbers of versions are checked by."""


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _writer() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_path(_instance: object, _attribute: object, path: str) -> None:
    if path != IMMUTABLE:
        validate_path(path)


_ARE_ATTEMPTS: Final = validators.deep_mapping(_IS_ID, validators.deep_iterable(_is_path))


@frozen
class RecordId:
    """Which record of which log is meant: logs of several collections, or of several copies of one, have the same numbers.

    Attributes
    ----------
    number
        Of the version.
    transaction
        Id of the transaction that became this version; None where a catalog of release 2026.12.0 does not say it.
    tag
        What a listing says of the record, where the store has it; the record with this tag need not be read.
    """

    number: int = field(default=0, validator=IS_VERSION)
    transaction: str | None = field(default=None, validator=validators.optional(_IS_ID))
    tag: str | None = field(default=None, validator=validators.optional(validators.instance_of(str)))

    def is_of(self, record: bytes) -> bool:
        """Return whether a record of this number is the one that is meant."""
        return self.transaction is None or _TRANSACTION % self.transaction.encode() in record


@frozen(kw_only=True)
class Version:
    """A change that was committed, or is about to be: ``_transactions/log/<n>.json``.

    Attributes
    ----------
    transaction
        Id of the transaction, which is the stamp of every partition that it wrote.
    base
        The version that the change was made from.
    operation
        What was done, such as "insert"; "lost" where the record was, and `repair` put another in its place.
    time, writer
        When and where it was committed, by the writer's own clock and name: for people.
    source
        Name of what was inserted, where the caller gave one: it is inserted once.
    written
        The partitions written, as columns in JSON; see `partitions`.
    dropped
        Paths of the partitions taken away.
    immutable
        The variables that do not span the axis, where they were written.
    configuration
        The new configuration, where it takes the place of the whole collection.
    schema
        The configuration with another schema or another partitioning, where that was changed.
    removed
        Transactions whose stages a vacuum removed: none of them can be committed any more.
    attempts
        Which partitions lie in a part of the stage that belongs to one attempt, by its id.
    in_place
        The new partitions that were written where they are to lie, all but their documents.
    cleared
        Paths at which there is no partition, and from which a vacuum removed what a dead writer had put there.
    pending
        Older versions that could not be put in their place when this one was committed. Where there are none, all older
        ones have been.
    replaced
        Paths of the partitions that it replaces or takes away, and that are kept for readers of older versions, by the
        transaction that wrote them.
    restored
        The version that it puts back; None for any other change.
    number
        Which version it is; 0 before it is committed.
    published
        Whether all that it staged lies in its place.
    tag
        What the store's listing says of the record, where it was listed; not stored.
    """

    transaction: str = field(validator=_IS_ID)
    base: int = field(validator=IS_VERSION)
    operation: str
    time: str = field(factory=_now)
    writer: str = field(factory=_writer)
    source: str | None = None
    written: dict[str, Any]
    dropped: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_is_path))
    immutable: PartitionRecord | None = None
    configuration: str | None = None
    schema: str | None = None
    removed: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_IS_ID))
    attempts: dict[str, tuple[str, ...]] = field(factory=dict, validator=_ARE_ATTEMPTS)
    in_place: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_is_path))
    cleared: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_is_path))
    pending: tuple[int, ...] = field(default=(), validator=validators.deep_iterable(IS_VERSION))
    replaced: dict[str, tuple[str, ...]] = field(factory=dict, validator=_ARE_ATTEMPTS)
    restored: int | None = field(default=None, validator=validators.optional(IS_VERSION))
    number: int = 0
    published: bool = False
    tag: str | None = None

    @property
    def new_configuration(self) -> str | None:
        """The configuration that the version committed, of a new collection or with another schema; None where none."""
        return self.configuration or self.schema

    @classmethod
    def load(cls, number: int, data: bytes) -> Self:
        """Return the version whose record this is.

        Raises
        ------
        CorruptionError
            It cannot be understood, or is that of another version.
        """
        what = f"the record of version {number}"
        version = documents.load(data, cls, kind=_KIND, what=what, newest=_WITH_KEPT)
        if version.number != number:
            message = f"{what} is that of version {version.number}; call repair()"
            raise CorruptionError(message)
        return version

    def dump(self) -> bytes:
        """Return the record, of the first format version that has all that it says."""
        version = _WITH_PENDING if self.pending else documents.FORMAT_VERSION
        if self.replaced or self.restored is not None:
            version = _WITH_KEPT
        return documents.dump(self, kind=_KIND, format_version=version)

    @property
    def id(self) -> RecordId:
        """What tells its record from those of other logs."""
        return RecordId(self.number, self.transaction, self.tag)

    @cached_property
    def partitions(self) -> Partitions:
        """What each partition written says of itself, by path."""
        try:
            return Partitions.from_json(self.written)
        except (ZCollectionError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            message = f"the record of version {self.number} cannot be understood: {error!r}; restore it from a backup"
            raise CorruptionError(message) from error

    @property
    def stage(self) -> str:
        """Prefix below which the transaction staged what it wrote."""
        return stage_of(self.transaction)

    def place(self, path: str) -> Place:
        """Return where a partition lies before it is published."""
        staged = Place(f"{stage_of(self.transaction, self._attempt_of.get(path, ''))}{path}/")
        return Place(f"{path}/", staged.document) if path in self._in_place else staged

    @cached_property
    def _attempt_of(self) -> dict[str, str]:
        return {path: attempt for attempt, paths in self.attempts.items() for path in paths}

    @cached_property
    def _in_place(self) -> frozenset[str]:
        return frozenset(self.in_place)

    @cached_property
    def kept(self) -> dict[str, str]:
        """Where each group that it replaces or takes away is kept, as a prefix, by path."""
        return {path: kept_at(stamp, path) for stamp, paths in self.replaced.items() for path in paths}

    @cached_property
    def above(self) -> frozenset[str]:
        """Paths of the groups that lead to what it wrote."""
        return frozenset(group for path in self.partitions for group in ancestors(path)[:-1])

    @cached_property
    def touched(self) -> frozenset[str]:
        """Paths of all that it changed."""
        immutable = [] if self.immutable is None else [IMMUTABLE]
        return frozenset([*self.partitions, *self.dropped, *self.cleared, *immutable])


documents.omit_defaults(
    Version, "schema", "source", "attempts", "in_place", "cleared", "pending", "replaced", "restored", "tag"
)
KEPT: Final = f"{TRANSACTIONS}/kept/"
"""Prefix of all groups that are kept for readers of older versions."""


def kept_at(stamp: str, path: str) -> str:
    """Return the prefix at which a group is kept, given the transaction that wrote it."""
    return f"{KEPT}{stamp}/{path}/"


def stage_of(transaction: str, attempt: str = "") -> str:
    """Return the prefix below which a transaction, or one attempt at a part of it, stages what it writes."""
    return f"{TRANSACTIONS}/stage/{transaction}/{attempt}/" if attempt else f"{TRANSACTIONS}/stage/{transaction}/"
