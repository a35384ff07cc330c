"""Verification of a collection, down to single chunks, and repair from the data that are stored."""

import zlib
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

import numpy as np
from attrs import frozen

from zcollection import config
from zcollection.collection import key_selection, partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.maintain import statistics
from zcollection.collection.maintain.statistics import ChunkCheck
from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.objects import Read
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Arrays, Executor, Job, LocalExecutor, ReadingSite, Site
from zcollection.engine.layout import ArrayLayout, group_document
from zcollection.engine.read import GroupRead, allocated, decode_stored, reading
from zcollection.engine.statistics import Form, reading_statistics
from zcollection.engine.work import Work, enumerated, fetch
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import ConflictError, CorruptionError, SettingError
from zcollection.model.documents import parse_json
from zcollection.model.names import join, split
from zcollection.model.printed import Printed
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.places import Place
from zcollection.transaction.reports import Label, Problem
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

_TRIES: Final = 20
_FACTOR: Final = 1000
"""Ratio of expected chunks to existing objects above which missing chunks are not reported one by one."""

_NO_STATISTICS: Final = "its statistics {!r} are damaged, or belong to another partition or generation: they are ignored, and repair() makes them again"
_OTHER: Final = "belongs to another generation, or to another partition, than the one committed"

Share = bool | float
"""The fraction of the chunks that is read: True for all, False for none."""


@frozen(kw_only=True)
class Sample:
    """A random sample of chunks.

    Attributes
    ----------
    share
        The fraction of all chunks: 0 to 1.
    seed
        The seed of the random selection.
    """

    share: float
    seed: int

    @classmethod
    def of(cls, share: Share) -> "Sample":
        """Return a sample with a new seed, so that repeated samples cover all chunks.

        Raises
        ------
        SettingError
            `share` is not a boolean or a fraction.
        """
        part: object = share
        if not isinstance(part, bool | int | float) or not 0 <= part <= 1:
            message = f"data={share!r}; accepted: True for every chunk, False for none, or a share such as 0.01"
            raise SettingError(message)
        return cls(share=float(share), seed=int(np.random.default_rng().integers(2**32)))

    def has(self, path: str, chunk: str) -> bool:
        """Return whether a chunk of a partition is in the sample."""
        drawn = zlib.crc32(f"{self.seed}/{path}/{chunk}".encode()) / 2**32
        return drawn < self.share


@frozen(kw_only=True, repr=False)
class VerifyReport(Printed):
    """The result of `verify`.

    Attributes
    ----------
    version
        The version that was checked.
    partitions, chunks
        Numbers of partitions and chunks that were checked.
    chunks_read
        Number of chunks that were read.
    problems
        Data that are missing, damaged, or possibly not found by readers.
    notes
        Harmless findings, such as foreign or left-over objects.
    """

    version: Label
    partitions: int
    chunks: int
    chunks_read: int = 0
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether there are no problems."""
        return not self.problems


@frozen(kw_only=True, repr=False)
class RepairReport(Printed):
    """The result of `repair`.

    Attributes
    ----------
    done
        The repairs that were made.
    remaining
        The remaining problems: data that must be inserted again.
    """

    done: tuple[str, ...]
    remaining: tuple[Problem, ...]


async def verify(
    opened: OpenCollection,
    *,
    data: Share,
    progress: ProgressOption,
    filters: Filter = None,
    client: ClientOption = None,
) -> VerifyReport:
    """Check the stored data; see `Collection.verify`."""
    sample = Sample.of(data)
    executor = executor_for(client, opened.store)
    for _ in range(_TRIES):
        try:
            snapshot = await opened.versioning.inspected(opened.configuration)
        except CorruptionError as error:
            return VerifyReport(version=0, partitions=0, chunks=0, problems=(Problem(what=str(error)),), notes=())
        report, _ = await _verified(opened, snapshot, executor, sample=sample, filters=filters, progress=progress)
        # A partition that another writer has replaced in the meantime is not damaged.
        if report.is_clean or not await _is_outdated(opened, snapshot):
            return report
    message = f"other writers kept changing {opened.store.url} while it was verified; verify it again"
    raise ConflictError(message)


async def _is_outdated(opened: OpenCollection, snapshot: Snapshot) -> bool:
    try:
        return await opened.is_outdated(snapshot)
    except CorruptionError:
        return False  # the report describes the corruption


async def repair(opened: OpenCollection) -> RepairReport:
    """Repair what can be repaired; see `Collection.repair`."""
    opened.store.check_writable()
    done = await retrying(lambda: _repaired(opened))
    made = await statistics.complete(opened)
    done += [f"the statistics of {made} partitions were made"] if made else []
    after = await verify(opened, data=False, progress=None)
    return RepairReport(done=tuple(done), remaining=after.problems)


async def _repaired(opened: OpenCollection) -> list[str]:
    snapshot = await opened.versioning.inspected(opened.configuration)
    _, documents = await _verified(opened, snapshot, LocalExecutor(), sample=Sample.of(False), progress=None)
    return await opened.versioning.repair(opened.configuration, snapshot, documents)


async def _verified(
    opened: OpenCollection,
    snapshot: Snapshot,
    executor: Executor,
    *,
    sample: Sample,
    progress: ProgressOption,
    filters: Filter = None,
) -> tuple[VerifyReport, dict[str, bytes]]:
    """Return the report, and the correct content of documents that are missing or wrong, by key."""
    partitions = await key_selection.select(opened, snapshot, filters)
    records: dict[str, PartitionRecord] = dict(partitions)
    if snapshot.immutable is not None:
        records[IMMUTABLE] = snapshot.immutable
    jobs = (
        Job(GroupCheck(opened, path, record, snapshot.place(path), sample).checked) for path, record in records.items()
    )
    with tracking(progress, len(records), "verify") as advance:
        found = await executor.run(
            ReadingSite(snapshot.objects),
            jobs,
            total=len(records),
            label="verify",
            threads=config.get().threads,
            progress=advance,
        )
    problems, notes = await opened.versioning.examine(opened.configuration, snapshot)
    lacking = sum(item.lacks_statistics for item in found)
    if lacking:
        notes = [
            *notes,
            f"{lacking} partitions have no statistics, and conditions read all of their rows; repair() makes some",
        ]
    report = VerifyReport(
        version=snapshot.label,
        partitions=len(partitions),
        chunks=sum(item.chunks for item in found),
        chunks_read=sum(item.chunks_read for item in found),
        problems=tuple(chain(problems, *(item.problems for item in found))),
        notes=tuple(chain(notes, *(item.notes for item in found))),
    )
    return report, {key: content for item in found for key, content in item.documents.items()}


@frozen
class CheckedGroup:
    """The result of the check of one group.

    Attributes
    ----------
    problems, notes
        As for `VerifyReport`.
    chunks
        Number of chunks that were checked.
    documents
        The correct content of documents that are missing or wrong, by key.
    chunks_read
        Number of chunks that were read.
    lacks_statistics
        Whether the group is a partition without statistics.
    """

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    chunks: int
    documents: Mapping[str, bytes]
    chunks_read: int = 0
    lacks_statistics: bool = False


@frozen
class GroupCheck:
    """The check of one group.

    Attributes
    ----------
    opened
        The collection.
    path, record, place
        The path of the group, its expected record, and its place.
    sample
        The chunks to read.
    """

    opened: OpenCollection
    path: str
    record: PartitionRecord
    place: Place
    sample: Sample

    def checked(self, site: Site, arrays: Arrays) -> Work[CheckedGroup]:
        """Return the result of the check."""
        del arrays
        try:
            return (yield from self._examine(has_listing=site.objects.has_listing))
        except CorruptionError as error:  # the store cannot list or read the group
            return CheckedGroup((Problem(partition=self.path, what=str(error)),), (), 0, {})

    def _examine(self, *, has_listing: bool) -> Work[CheckedGroup]:
        group = partition_groups.group_of(self.opened, self.path, self.record, self.place)
        layouts = self._layouts(group)
        sizes = yield from self._listed(group) if has_listing else self._probed(group, layouts)
        plausible = [layout for layout in layouts if layout.chunk_count <= _FACTOR * (len(sizes) + 1)]
        expected = dict(chain(*(self._expected(group, layout) for layout in plausible)))
        documents = self._documents(group, layouts)
        wrong = yield from self._wrong_documents(group, documents)
        form = Form.of_group(group, dimension=self.opened.dimension)
        has_statistics = form.key in sizes
        known = (yield from reading_statistics(group, dimension=self.opened.dimension)) if has_statistics else None
        present = [key for key in expected if sizes.get(key)]
        chunks = {key: expected[key] for key in present if self.sample.has(self.path, key)}
        problems = [
            *(self._document_problem(key, defect) for key, defect in wrong.items()),
            *(self._implausible(layout, len(sizes)) for layout in layouts if layout not in plausible),
            *(self._missing(key, layout, sizes) for key, layout in expected.items() if not sizes.get(key)),
        ]
        if has_statistics and known is None and GROUP_DOCUMENT not in wrong:
            problems.append(Problem(partition=self.path, what=_NO_STATISTICS.format(form.key)))
        if chunks:
            problems += yield from self._damaged(group, chunks, ChunkCheck(form, known))
        # Writing documents cannot restore a group that has no objects, or that belongs to another generation or partition.
        is_repairable = bool(sizes) and wrong.get(GROUP_DOCUMENT) != _OTHER
        if is_repairable and GROUP_DOCUMENT in wrong and (foreign := (yield from self._foreign_rows(group))):
            is_repairable = False
            problems.append(Problem(partition=self.path, what=foreign))
        unknown = sorted(sizes.keys() - {*expected, *documents, form.key})
        return CheckedGroup(
            tuple(problems),
            tuple(f"{group.prefix}{key} is not part of the collection" for key in unknown),
            len(present),
            {_document_key(group, key): documents[key] for key in wrong} if is_repairable else {},
            chunks_read=len(chunks),
            lacks_statistics=self.path != IMMUTABLE and form.key is not None and not has_statistics,
        )

    def _wrong_documents(self, group: GroupRead, documents: Mapping[str, bytes]) -> Work[dict[str, str]]:
        """Return the defect of each expected document that is missing or wrong, by key."""
        contents = yield from fetch([Read(_document_key(group, key)) for key in documents])
        defects = {
            key: self._document_defect(key, content, documents[key])
            for key, content in zip(documents, contents, strict=True)
        }
        return {key: defect for key, defect in defects.items() if defect is not None}

    def _implausible(self, layout: ArrayLayout, count: int) -> Problem:
        """Return the problem of an array that would have far more chunks than the group has objects."""
        what = f"its record implies {layout.chunk_count} chunks, but there are only {count} objects"
        return Problem(partition=self.path, variable=layout.path, what=what)

    def _missing(self, key: str, layout: ArrayLayout, sizes: Mapping[str, int]) -> Problem:
        """Return the problem of a chunk that is missing or empty."""
        state = "is empty" if key in sizes else "is missing"
        return Problem(partition=self.path, variable=layout.path, chunk=key, what=f"it {state}")

    @staticmethod
    def _listed(group: GroupRead) -> Work[dict[str, int]]:
        """Return the sizes of the objects of a group, by key."""
        return {entry.key.removeprefix(group.prefix): entry.size for entry in (yield from enumerated(group.prefix))}

    def _probed(self, group: GroupRead, layouts: Iterable[ArrayLayout]) -> Work[dict[str, int]]:
        """Return the existing chunks and statistics, each with size 1, on a store without listing: one byte of each is read."""
        most = max(self.record.stored_bytes, _FACTOR)  # no chunk is empty
        plausible = [layout for layout in layouts if layout.chunk_count <= most]
        statistics_key = Form.of_group(group, dimension=self.opened.dimension).key
        keys = [key for layout in plausible for key, _ in self._expected(group, layout)]
        keys += [] if statistics_key is None else [statistics_key]
        first = yield from fetch([Read(group.prefix + key, length=1) for key in keys])
        return {key: len(data) for key, data in zip(keys, first, strict=True) if data is not None}

    def _layouts(self, group: GroupRead) -> list[ArrayLayout]:
        part = self.opened.part(group.schema, partitioned=self.path != IMMUTABLE)
        dimension, rows = self.opened.dimension, self.record.rows
        return [ArrayLayout.of(group.schema, path, dimension=dimension, rows=rows) for path in part.all_variables()]

    def _expected(self, group: GroupRead, layout: ArrayLayout) -> Iterable[tuple[str, ArrayLayout]]:
        if layout.path in group.absent:
            return []
        return [(layout.chunk_key(index), layout.single(index)) for index in layout.chunk_indices]

    def _documents(self, group: GroupRead, layouts: Iterable[ArrayLayout]) -> dict[str, bytes]:
        """Return the expected documents of the group and its subgroups and arrays, by key; the group's own comes first."""
        part = self.opened.part(group.schema, partitioned=self.path != IMMUTABLE)
        attributes = {} if self.path == IMMUTABLE else group.schema.attrs
        own = group_document({**attributes, **self.record.to_attribute()})
        groups = {join(path, GROUP_DOCUMENT): group_document(node.attrs) for path, node in part.walk() if path}
        return {GROUP_DOCUMENT: own, **groups, **{layout.document_key: layout.document for layout in layouts}}

    def _document_defect(self, key: str, content: bytes | None, written: bytes) -> str | None:
        """Return a description of what is wrong with a document; None if it is correct."""
        if content == written:
            return None
        if content is None:
            return "is missing"
        try:
            if key == GROUP_DOCUMENT and self._is_of_another(content):
                return _OTHER
            is_right = parse_json(content, what="it") == parse_json(written, what="it")
        except CorruptionError as error:
            return f"is damaged: {error}"
        return None if is_right else "is not the one that was committed"

    def _is_of_another(self, document: bytes) -> bool:
        is_partition = PartitionRecord.from_group(document, what="it") is not None
        return is_partition and not partition_groups.generation_check(self.opened, self.path, self.record).is_of(
            document
        )

    def _foreign_rows(self, group: GroupRead) -> Work[str | None]:
        """Return why the rows of a group with a missing or wrong document are not those of its record; None if they are."""
        if group.axis is None or group.axis in group.absent:
            return None
        try:
            yield from reading([group], group.schema.select([group.axis]), dimension=self.opened.dimension)
        except CorruptionError as error:
            return str(error)
        return None

    def _document_problem(self, key: str, defect: str) -> Problem:
        parent = split(key)[0]
        variable = parent if parent in self.opened.schema.all_variables() else None
        name = "its group document" if key == GROUP_DOCUMENT else f"the document {key!r}"
        return Problem(partition=self.path, variable=variable, what=f"{name} {defect}")

    def _damaged(self, group: GroupRead, chunks: Mapping[str, ArrayLayout], check: ChunkCheck) -> Work[list[Problem]]:
        problems = []
        for key, layout in chunks.items():  # one at a time: a partition may be larger than memory
            try:
                (content,) = yield from fetch([layout.chunk_read(group.prefix, key)])
                values = allocated(layout.shape, layout.variable.stored_dtype)
                decode_stored(group, layout, iter([content]), values)
            except CorruptionError as error:
                what = str(error.__cause__ or error)
                problems.append(Problem(partition=self.path, variable=layout.path, chunk=key, what=what))
                continue
            contradiction = check.contradiction(key, layout, content or b"", values)
            if contradiction is not None:
                problems.append(Problem(partition=self.path, variable=layout.path, chunk=key, what=contradiction))
        return problems


def _document_key(group: GroupRead, key: str) -> str:
    """Return the key in the store of a document of a group; the group's own document may be stored apart from its other objects."""
    return group.document if key == GROUP_DOCUMENT else group.prefix + key
