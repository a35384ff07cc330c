"""What is wrong with a collection, down to the chunk; and what of it can be mended from what is there."""

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
from zcollection.engine.executors import ClientOption, chosen
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
"""Times more chunks than there are objects, beyond which not each of them is reported as missing."""

_NO_STATISTICS: Final = "its statistics {!r} are damaged, or those of another partition or generation: they are ignored, and repair() makes them again"
_OTHER: Final = "is that of another generation, or of another partition, than the one committed"


Share = bool | float
"""Which part of the chunks is read: all, none, or a share of them."""


@frozen(kw_only=True)
class Sample:
    """Chunks drawn by chance.

    Attributes
    ----------
    share
        How many of all: 0 to 1.
    seed
        Tells one sample from another.
    """

    share: float
    seed: int

    @classmethod
    def of(cls, share: Share) -> "Sample":
        """Return a sample of another seed each time, so that samples of many days meet all chunks.

        Raises
        ------
        SettingError
            It is no share.
        """
        part: object = share
        if not isinstance(part, bool | int | float) or not 0 <= part <= 1:
            message = f"data={share!r}; accepted: True for every chunk, False for none, or a share such as 0.01"
            raise SettingError(message)
        return cls(share=float(share), seed=int(np.random.default_rng().integers(2**32)))

    def has(self, path: str, chunk: str) -> bool:
        """Return whether a chunk of a partition is in it."""
        drawn = zlib.crc32(f"{self.seed}/{path}/{chunk}".encode()) / 2**32
        return drawn < self.share


@frozen(kw_only=True, repr=False)
class VerifyReport(Printed):
    """What `verify` found.

    Attributes
    ----------
    version
        The version that was looked at.
    partitions, chunks
        How many were looked at.
    chunks_read
        How many of the chunks were read.
    problems
        What is wrong: data that are lost or damaged, or that readers may not find.
    notes
        What is not ours, or left over; it does no harm.
    """

    version: Label
    partitions: int
    chunks: int
    chunks_read: int = 0
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@frozen(kw_only=True, repr=False)
class RepairReport(Printed):
    """What `repair` did, and what it could not mend.

    Attributes
    ----------
    done
        Each thing that was mended.
    remaining
        What is wrong still: data that must be inserted again.
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
    """Look for what is wrong; see `Collection.verify`."""
    sample = Sample.of(data)
    executor = chosen(client, opened.store)
    for _ in range(_TRIES):
        try:
            snapshot = await opened.versioning.inspected(opened.configuration)
        except CorruptionError as error:
            return VerifyReport(version=0, partitions=0, chunks=0, problems=(Problem(what=str(error)),), notes=())
        report, _ = await _verified(opened, snapshot, executor, sample=sample, filters=filters, progress=progress)
        # What another writer replaced meanwhile is not damaged.
        if report.is_clean or not await _is_outdated(opened, snapshot):
            return report
    message = f"other writers kept changing {opened.store.url} while it was verified; verify it again"
    raise ConflictError(message)


async def _is_outdated(opened: OpenCollection, snapshot: Snapshot) -> bool:
    try:
        return await opened.is_outdated(snapshot)
    except CorruptionError:
        return False  # the report says of what


async def repair(opened: OpenCollection) -> RepairReport:
    """Mend what can be mended; see `Collection.repair`."""
    opened.store.check_writable()
    done = await retrying(lambda: _mended(opened))
    made = await statistics.complete(opened)
    done += [f"the statistics of {made} partitions were made"] if made else []
    after = await verify(opened, data=False, progress=None)
    return RepairReport(done=tuple(done), remaining=after.problems)


async def _mended(opened: OpenCollection) -> list[str]:
    snapshot = await opened.versioning.inspected(opened.configuration)
    _, documents = await _verified(opened, snapshot, LocalExecutor(), sample=Sample.of(False), progress=None)
    return await opened.versioning.mend(opened.configuration, snapshot, documents)


async def _verified(
    opened: OpenCollection,
    snapshot: Snapshot,
    executor: Executor,
    *,
    sample: Sample,
    progress: ProgressOption,
    filters: Filter = None,
) -> tuple[VerifyReport, dict[str, bytes]]:
    """Return what is wrong, and by their keys the documents that should be others."""
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
    """What was found of one group.

    Attributes
    ----------
    problems, notes
        As for `VerifyReport`.
    chunks
        How many were looked at.
    documents
        By their keys those that should be others.
    chunks_read
        How many of them were read.
    lacks_statistics
        Whether it is a partition without any.
    """

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    chunks: int
    documents: Mapping[str, bytes]
    chunks_read: int = 0
    lacks_statistics: bool = False


@frozen
class GroupCheck:
    """One group that is to be looked at.

    Attributes
    ----------
    opened
        Of the collection.
    path, record, place
        The group: its name, what it should be, and where it lies.
    sample
        Which chunks are read.
    """

    opened: OpenCollection
    path: str
    record: PartitionRecord
    place: Place
    sample: Sample

    def checked(self, site: Site, arrays: Arrays) -> Work[CheckedGroup]:
        """Return what is wrong with it."""
        del arrays
        try:
            return (yield from self._looked_at(has_listing=site.objects.has_listing))
        except CorruptionError as error:  # the store itself cannot tell what is there
            return CheckedGroup((Problem(partition=self.path, what=str(error)),), (), 0, {})

    def _looked_at(self, *, has_listing: bool) -> Work[CheckedGroup]:
        group = partition_groups.group_of(self.opened, self.path, self.record, self.place)
        layouts = self._layouts(group)
        sizes = yield from self._listed(group) if has_listing else self._asked_for(group, layouts)
        believed = [layout for layout in layouts if layout.chunk_count <= _FACTOR * (len(sizes) + 1)]
        expected = dict(chain(*(self._expected(group, layout) for layout in believed)))
        documents = self._documents(group, layouts)
        keys = {key: group.document if key == GROUP_DOCUMENT else group.prefix + key for key in documents}
        contents = dict(zip(keys, (yield from fetch([Read(key) for key in keys.values()])), strict=True))
        defects = {key: self._document_defect(key, contents[key], documents[key]) for key in documents}
        wrong = {key: defect for key, defect in defects.items() if defect is not None}
        problems = [self._document_problem(key, defect) for key, defect in wrong.items()]
        for layout in layouts:
            if layout not in believed:
                what = f"it is said to have {layout.chunk_count} chunks, and there are {len(sizes)} objects in all"
                problems.append(Problem(partition=self.path, variable=layout.path, what=what))
        for key, layout in expected.items():
            if sizes.get(key, 0) == 0:
                state = "is missing" if key not in sizes else "is empty"
                problems.append(Problem(partition=self.path, variable=layout.path, chunk=key, what=f"it {state}"))
        present = [key for key in expected if sizes.get(key)]
        form = Form.of_group(group, dimension=self.opened.dimension)
        has_statistics = form.key in sizes
        known = (yield from reading_statistics(group, dimension=self.opened.dimension)) if has_statistics else None
        if has_statistics and known is None and GROUP_DOCUMENT not in wrong:
            problems.append(Problem(partition=self.path, what=_NO_STATISTICS.format(form.key)))
        chunks = {key: expected[key] for key in present if self.sample.has(self.path, key)}
        if chunks:
            problems += yield from self._damaged(group, chunks, ChunkCheck(form, known))
        strange = sorted(sizes.keys() - {*expected, *documents, form.key})
        notes = [f"{group.prefix}{key} is not part of the collection" for key in strange]
        # Documents make neither a group of which nothing is left, nor of another generation or partition the one that was
        # committed.
        is_ours = sizes and wrong.get(GROUP_DOCUMENT) != _OTHER
        if is_ours and GROUP_DOCUMENT in wrong and (foreign := (yield from self._foreign_rows(group))):
            is_ours = False
            problems.append(Problem(partition=self.path, what=foreign))
        right = {keys[key]: documents[key] for key in wrong} if is_ours else {}
        lacks = self.path != IMMUTABLE and form.key is not None and not has_statistics
        return CheckedGroup(
            tuple(problems), tuple(notes), len(present), right, chunks_read=len(chunks), lacks_statistics=lacks
        )

    @staticmethod
    def _listed(group: GroupRead) -> Work[dict[str, int]]:
        """Return the sizes of the objects of a group, by key."""
        return {entry.key.removeprefix(group.prefix): entry.size for entry in (yield from enumerated(group.prefix))}

    def _asked_for(self, group: GroupRead, layouts: Iterable[ArrayLayout]) -> Work[dict[str, int]]:
        """Return which chunks there are, and the statistics, where nothing is listed: a byte of each tells, and is its size."""
        most = max(self.record.stored_bytes, _FACTOR)  # no chunk is empty
        believed = [layout for layout in layouts if layout.chunk_count <= most]
        statistics_key = Form.of_group(group, dimension=self.opened.dimension).key
        keys = [key for layout in believed for key, _ in self._expected(group, layout)]
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
        """Return the documents of the group and of all below it, by key, as they were written; its own comes first."""
        part = self.opened.part(group.schema, partitioned=self.path != IMMUTABLE)
        attributes = {} if self.path == IMMUTABLE else group.schema.attrs
        own = group_document({**attributes, **self.record.to_attribute()})
        groups = {join(path, GROUP_DOCUMENT): group_document(node.attrs) for path, node in part.walk() if path}
        return {GROUP_DOCUMENT: own, **groups, **{layout.document_key: layout.document for layout in layouts}}

    def _document_defect(self, key: str, content: bytes | None, written: bytes) -> str | None:
        """Return what is wrong with a document, or None."""
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
        return is_partition and not partition_groups.stamp_of(self.opened, self.path, self.record).is_of(document)

    def _foreign_rows(self, group: GroupRead) -> Work[str | None]:
        """Return what is wrong with the rows of a group without a document that could say whose they are; None for nothing."""
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
        for key, layout in chunks.items():  # one by one: a partition may be larger than memory
            try:
                (content,) = yield from fetch([layout.chunk_read(group.prefix, key)])
                values = allocated(layout.shape, layout.variable.stored_dtype)
                decode_stored(group, layout, iter([content]), values)
            except CorruptionError as error:
                what = str(error.__cause__ or error)
                problems.append(Problem(partition=self.path, variable=layout.path, chunk=key, what=what))
                continue
            doubt = check.doubt(key, layout, content or b"", values)
            if doubt is not None:
                problems.append(Problem(partition=self.path, variable=layout.path, chunk=key, what=doubt))
        return problems
