"""What is wrong with a collection, down to the chunk; and what of it can be mended from what is there."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

import numpy as np
from attrs import frozen

from zcollection import config
from zcollection.collection.handle import Handle
from zcollection.contracts.store import Read
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.read import GroupRead, decode_array
from zcollection.engine.work import Work, enumerated, fetch, perform
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import ConflictError, CorruptionError
from zcollection.model.documents import parse_json
from zcollection.model.names import join
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.reports import CATALOG_SAYS, Label, Problem
from zcollection.transaction.snapshot import Snapshot

_TRIES: Final = 20


@frozen(kw_only=True)
class VerifyReport:
    """What `verify` found.

    Attributes
    ----------
    version
        The version that was looked at.
    partitions, chunks
        How many were looked at.
    problems
        What is wrong: data that are lost or damaged, or that readers may not find.
    notes
        What is not ours, or left over; it does no harm.
    """

    version: Label
    partitions: int
    chunks: int
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@frozen(kw_only=True)
class RepairReport:
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


async def verify(handle: Handle, *, data: bool, progress: ProgressOption) -> VerifyReport:
    """Look for what is wrong; see `Collection.verify`."""
    for _ in range(_TRIES):
        try:
            taken = await handle.versioning.inspected(handle.configuration)
        except CorruptionError as error:
            return VerifyReport(version=0, partitions=0, chunks=0, problems=(Problem(what=str(error)),), notes=())
        report = await _verified(handle, taken, data=data, progress=progress)
        # What another writer replaced meanwhile is not damaged.
        if report.is_clean or not await handle.is_outdated(taken):
            return report
    message = f"other writers kept changing {handle.store.url} while it was verified; verify it again"
    raise ConflictError(message)


async def repair(handle: Handle) -> RepairReport:
    """Mend what can be mended; see `Collection.repair`."""
    handle.store.check_writable()
    before = await verify(handle, data=False, progress=None)
    done = await handle.versioning.mend(handle.configuration, before.problems)
    after = await verify(handle, data=False, progress=None)
    return RepairReport(done=tuple(done), remaining=after.problems)


async def _verified(handle: Handle, taken: Snapshot, *, data: bool, progress: ProgressOption) -> VerifyReport:
    records: dict[str, PartitionRecord] = dict(taken.partitions)
    if taken.immutable is not None:
        records[IMMUTABLE] = taken.immutable
    with tracking(progress, len(records), "verify") as advance:
        works = (_Group(handle, taken, path, record, data).checked() for path, record in records.items())
        found = await perform(taken.objects, works, threads=config.get().threads, progress=advance)
    problems, notes = await handle.versioning.examine(handle.configuration, taken)
    return VerifyReport(
        version=taken.label,
        partitions=len(taken.partitions),
        chunks=sum(item.chunks for item in found),
        problems=tuple(chain(problems, *(item.problems for item in found))),
        notes=tuple(chain(notes, *(item.notes for item in found))),
    )


@frozen
class _Found:
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    chunks: int


@frozen
class _Group:
    """One group that is to be looked at."""

    handle: Handle
    taken: Snapshot
    path: str
    record: PartitionRecord
    data: bool

    def checked(self) -> Work[_Found]:
        """Return what is wrong with it."""
        group = self.handle.group(self.path, self.record, self.taken.place(self.path))
        sizes = {entry.key.removeprefix(group.prefix): entry.size for entry in (yield from enumerated(group.prefix))}
        layouts = self._layouts(group)
        expected = dict(chain(*(self._expected(group, layout) for layout in layouts)))
        documents = [layout.document_key for layout in layouts]
        own, *contents = yield from fetch([Read(group.prefix + key) for key in (GROUP_DOCUMENT, *documents)])
        problems = [*self._own_problems(own)]
        for layout, content in zip(layouts, contents, strict=True):
            problems += self._document_problems(layout, content)
        for key, layout in expected.items():
            if sizes.get(key, 0) == 0:
                state = "is missing" if key not in sizes else "is empty"
                problems.append(Problem(partition=self.path, variable=layout.path, chunk=key, what=f"it {state}"))
        present = [key for key in expected if sizes.get(key)]
        if self.data:
            problems += yield from self._damaged(group, {key: expected[key] for key in present})
        ours = {*expected, *documents, *self._group_documents(group)}
        notes = [f"{group.prefix}{key} is not part of the collection" for key in sorted(sizes.keys() - ours)]
        return _Found(tuple(problems), tuple(notes), len(present))

    def _layouts(self, group: GroupRead) -> list[ArrayLayout]:
        part = self.handle.part(group.schema, moving=self.path != IMMUTABLE)
        dimension, rows = self.handle.dimension, self.record.rows
        return [ArrayLayout.of(group.schema, path, dimension=dimension, rows=rows) for path in part.all_variables()]

    def _expected(self, group: GroupRead, layout: ArrayLayout) -> Iterable[tuple[str, ArrayLayout]]:
        if layout.path in group.absent:
            return []
        return [(layout.chunk_key(index), layout.single(index)) for index in layout.chunk_indices]

    def _group_documents(self, group: GroupRead) -> list[str]:
        return [join(path, GROUP_DOCUMENT) for path, _ in group.schema.walk()]

    def _own_problems(self, content: bytes | None) -> Iterable[Problem]:
        try:
            self.handle.stamp(self.path, self.record)(content)
            found = None if content is None else PartitionRecord.from_group(content, what="its group document")
        except CorruptionError as error:
            yield Problem(partition=self.path, what=str(error))
            return
        except ConflictError:
            state = "is missing" if content is None else "is that of another generation than the one committed"
            yield Problem(partition=self.path, what=f"its group document {state}")
            return
        if found != self.record:
            yield Problem(partition=self.path, what=f"{CATALOG_SAYS}says otherwise than its group document")

    def _document_problems(self, layout: ArrayLayout, content: bytes | None) -> Iterable[Problem]:
        if content == layout.document:
            return
        what = f"the array document {layout.document_key!r}"
        try:
            if content is None:
                raise CorruptionError(f"{what} is missing")  # noqa: TRY301 - one of three ways to be wrong
            if parse_json(content, what=what) != parse_json(layout.document, what=what):
                raise CorruptionError(f"{what} is not that of the layout {self.record.layout}")  # noqa: TRY301
        except CorruptionError as error:
            yield Problem(partition=self.path, variable=layout.path, what=str(error))

    def _damaged(self, group: GroupRead, chunks: Mapping[str, ArrayLayout]) -> Work[list[Problem]]:
        problems = []
        for key, layout in chunks.items():  # one by one: a partition may be larger than memory
            (content,) = yield from fetch([Read(group.prefix + key)])
            values = np.empty(layout.shape, layout.variable.stored_dtype)
            try:
                decode_array(group, layout, iter([content]), values)
            except CorruptionError as error:
                what = str(error.__cause__ or error)
                problems.append(Problem(partition=self.path, variable=layout.path, chunk=key, what=what))
        return problems
