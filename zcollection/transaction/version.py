"""One version of a collection, as its commit record describes it."""

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
"""Format version of a record that keeps replaced partitions, or restores an older version."""

_TRANSACTION: Final = b'"transaction": "%s"'
_IS_ID: Final = validators.matches_re(r"[0-9a-f]{32}")
IS_VERSION: Final = [validators.instance_of(int), validators.ge(0), validators.lt(10**18)]
"""Validators of a version number."""


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
    """The identity of a commit record: the logs of several collections, or copies of one, contain the same numbers.

    Attributes
    ----------
    number
        Number of the version.
    transaction
        Id of the transaction that became this version; None if it comes from a catalog of release 2026.12.0.
    tag
        Entity tag of the record, if the store lists one; a record whose tag is unchanged need not be read.
    """

    number: int = field(default=0, validator=IS_VERSION)
    transaction: str | None = field(default=None, validator=validators.optional(_IS_ID))
    tag: str | None = field(default=None, validator=validators.optional(validators.instance_of(str)))

    def is_of(self, record: bytes) -> bool:
        """Return whether the bytes of a record with this number belong to this transaction."""
        return self.transaction is None or _TRANSACTION % self.transaction.encode() in record


@frozen(kw_only=True)
class Version:
    """A change that was committed, or is about to be committed: ``_transactions/log/<n>.json``.

    Attributes
    ----------
    transaction
        Id of the transaction: the stamp of every partition that it wrote.
    base
        The version on which the change was based.
    operation
        What the change did, such as "insert"; "lost" if the record was lost and `repair` replaced it.
    time, writer
        When the change was committed, by the writer's clock, and the host and process of the writer; for information only.
    source
        Name of the inserted source, if the caller gave one; a source is inserted only once.
    written
        The partitions written, as columns in JSON; see `partitions`.
    dropped
        Paths of the dropped partitions.
    immutable
        Record of the immutable variables, if they were written.
    configuration
        Configuration of the new collection, if the change replaced the whole collection.
    schema
        The new configuration, if the change modified the schema, the partitioning or the retention.
    removed
        Transactions whose staging areas a vacuum removed: none of them can be committed any more.
    attempts
        Paths of the partitions staged under a prefix of one attempt, by the id of the attempt.
    in_place
        Paths of the new partitions whose objects, except the group document, were written in their published place.
    cleared
        Paths without a partition, from which a vacuum removed the objects of a dead writer.
    pending
        Older versions that could not be published when this one was committed. All other older versions are published.
    replaced
        Paths of the replaced or dropped partitions that are kept for readers of older versions, by the transaction that
        wrote them.
    restored
        The version that this one restores (rollback); None for any other change.
    number
        Number of the version; 0 before it is committed.
    published
        Whether everything that it staged is published.
    tag
        Entity tag of the record, if the store lists one; not stored.
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
        """The configuration that the version committed: of a new collection, or with another schema; None if unchanged."""
        return self.configuration or self.schema

    @classmethod
    def load(cls, number: int, data: bytes) -> Self:
        """Return the version that a commit record describes.

        Raises
        ------
        CorruptionError
            The record cannot be parsed, or belongs to another version.
        """
        what = f"the record of version {number}"
        version = documents.load(data, cls, kind=_KIND, what=what, newest=_WITH_KEPT)
        if version.number != number:
            message = f"{what} is the record of version {version.number}; call repair()"
            raise CorruptionError(message)
        return version

    def dump(self) -> bytes:
        """Return the commit record, in the oldest format version that supports its content."""
        version = _WITH_PENDING if self.pending else documents.FORMAT_VERSION
        if self.replaced or self.restored is not None:
            version = _WITH_KEPT
        return documents.dump(self, kind=_KIND, format_version=version)

    @property
    def id(self) -> RecordId:
        """The identity of its commit record."""
        return RecordId(self.number, self.transaction, self.tag)

    @cached_property
    def partitions(self) -> Partitions:
        """The record of each partition written, by path."""
        try:
            return Partitions.from_json(self.written)
        except (ZCollectionError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            message = f"the record of version {self.number} cannot be parsed: {error!r}; restore it from a backup"
            raise CorruptionError(message) from error

    @property
    def stage(self) -> str:
        """Prefix under which the transaction staged its groups."""
        return stage_of(self.transaction)

    def place(self, path: str) -> Place:
        """Return where a partition is stored before it is published."""
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
        """Prefix under which each replaced or dropped group is kept, by path."""
        return {path: kept_at(stamp, path) for stamp, paths in self.replaced.items() for path in paths}

    @cached_property
    def above(self) -> frozenset[str]:
        """Paths of the parent groups of the partitions that it wrote."""
        return frozenset(group for path in self.partitions for group in ancestors(path)[:-1])

    @cached_property
    def touched(self) -> frozenset[str]:
        """Paths of all groups that it wrote, dropped or cleared."""
        immutable = [] if self.immutable is None else [IMMUTABLE]
        return frozenset([*self.partitions, *self.dropped, *self.cleared, *immutable])


documents.omit_defaults(
    Version, "schema", "source", "attempts", "in_place", "cleared", "pending", "replaced", "restored", "tag"
)
KEPT: Final = f"{TRANSACTIONS}/kept/"
"""Prefix of all groups that are kept for readers of older versions."""


def kept_at(stamp: str, path: str) -> str:
    """Return the prefix under which a replaced group is kept, given the transaction that wrote it."""
    return f"{KEPT}{stamp}/{path}/"


def stage_of(transaction: str, attempt: str = "") -> str:
    """Return the staging prefix of a transaction, or of one attempt at a part of it."""
    return f"{TRANSACTIONS}/stage/{transaction}/{attempt}/" if attempt else f"{TRANSACTIONS}/stage/{transaction}/"
