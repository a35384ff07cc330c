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
from zcollection.engine.write import GROUP_DOCUMENT, parent_documents
from zcollection.errors import ConflictError, CorruptionError
from zcollection.model.documents import parse_json
from zcollection.model.names import join
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction import catalog, log, publication, snapshot
from zcollection.transaction.documents import CATALOG, CONFIGURATION, IMMUTABLE, TRANSACTIONS, PartitionRecord
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.transaction import rebuild_catalog

_TRIES: Final = 20
_ROOT: Final = (CONFIGURATION, GROUP_DOCUMENT)


@frozen(kw_only=True)
class Problem:
    """Something that is not as it should be.

    Attributes
    ----------
    partition
        Path of the partition; "" where it is none of a partition.
    variable
        Path of the variable, or None where it is none of a variable.
    chunk
        Key of the chunk within the partition, or None where it is none of a chunk.
    what
        What is wrong.
    """

    partition: str = ""
    variable: str | None = None
    chunk: str | None = None
    what: str

    def __str__(self) -> str:
        names = [
            f"partition {self.partition!r}" if self.partition else "",
            f"variable {self.variable!r}" if self.variable else "",
            f"chunk {self.chunk!r}" if self.chunk else "",
        ]
        place = ", ".join(filter(None, names))
        return f"{place}: {self.what}" if place else self.what


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

    version: int
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
        taken = await handle.snapshot()
        report = await _verified(handle, taken, data=data, progress=progress)
        # What another writer replaced meanwhile is not damaged.
        if report.is_clean or not await handle.is_outdated(taken):
            return report
    message = f"other writers kept changing {handle.store.url} while it was verified; verify it again"
    raise ConflictError(message)


async def repair(handle: Handle) -> RepairReport:
    """Mend what can be mended; see `Collection.repair`."""
    store, configuration = handle.store, handle.configuration
    store.check_writable()
    before = await verify(handle, data=False, progress=None)
    taken = await handle.snapshot()
    async with store.lock():
        pending = await log.unpublished(store, taken.pending)
        await publication.settle(store, pending)
    done = [f"version {version.number} was committed, and is now in its place" for version in pending]
    for key, content in parent_documents(taken.partitions).items():
        if await store.create(key, content) == "created":
            done.append(f"the document {key!r} was missing")
    if configuration.catalog:
        if (await store.get([Read(f"{CATALOG}/{GROUP_DOCUMENT}")]))[0] is None:
            await store.put(catalog.array_document())
            done.append("the document of the catalog was missing")
        if any(problem.what.startswith(_CATALOG) for problem in before.problems):
            await rebuild_catalog(store, configuration)
            done.append("the catalog was made anew")
    after = await verify(handle, data=False, progress=None)
    return RepairReport(done=tuple(done), remaining=after.problems)


_CATALOG: Final = "the catalog "


async def _verified(handle: Handle, taken: Snapshot, *, data: bool, progress: ProgressOption) -> VerifyReport:
    records: dict[str, PartitionRecord] = dict(taken.partitions)
    if taken.immutable is not None:
        records[IMMUTABLE] = taken.immutable
    with tracking(progress, len(records), "verify") as advance:
        works = (_Group(handle, taken, path, record, data).checked() for path, record in records.items())
        found = await perform(handle.store, works, threads=config.get().threads, progress=advance)
    documents = await _missing_documents(handle, taken)
    known, notes = await _strangers(handle, taken)
    problems = chain(await _catalog_problems(handle, taken), documents, known, *(item.problems for item in found))
    return VerifyReport(
        version=taken.version,
        partitions=len(taken.partitions),
        chunks=sum(item.chunks for item in found),
        problems=tuple(problems),
        notes=(*notes, *await _leftovers(handle, taken), *chain(*(item.notes for item in found))),
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
            if not sizes.get(key):
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
            yield Problem(partition=self.path, what=f"{_CATALOG}says otherwise than its group document")

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


async def _catalog_problems(handle: Handle, taken: Snapshot) -> list[Problem]:
    if handle.configuration.catalog and not taken.indexed:
        return [Problem(what=f"{_CATALOG}is missing or damaged, so that readers have to look at every partition")]
    return []


async def _missing_documents(handle: Handle, taken: Snapshot) -> list[Problem]:
    """Return the documents that are missing on the way to partitions, which other tools need to find them."""
    keys = [*_ROOT, *parent_documents(path for path in taken.partitions if path not in taken.places)]
    contents = await handle.store.get([Read(key) for key in keys])
    return [
        Problem(what=f"the document {key!r} is missing")
        for key, data in zip(keys, contents, strict=True)
        if data is None
    ]


async def _strangers(handle: Handle, taken: Snapshot) -> tuple[list[Problem], list[str]]:
    """Return the partitions that lie in a place and were not committed, and what else lies among partitions."""
    problems, notes = [], []
    for path in await snapshot.candidates(handle.store, handle.configuration):
        if taken.record(path) is not None:
            continue
        (data,) = await handle.store.get([Read(f"{path}/{GROUP_DOCUMENT}")])
        pending = any(path in version.touched for version in taken.pending)
        try:
            ours = data is not None and PartitionRecord.from_group(data, what="x") is not None
        except CorruptionError:
            ours = False
        if ours and not pending:
            problems.append(
                Problem(partition=path, what="it lies in its place, and was not committed; insert it again")
            )
        elif not ours:
            notes.append(f"{path}/ is not part of the collection")
    return problems, notes


async def _leftovers(handle: Handle, taken: Snapshot) -> list[str]:
    """Return what writers have begun, or committed and not put in its place."""
    notes = [
        f"version {version.number} is committed and not yet in its place: the next writer, or repair(), completes it"
        for version in taken.pending
    ]
    ours = {version.stage for version in taken.pending}
    found = [entry.key async for entry in handle.store.list(f"{TRANSACTIONS}/stage/") if entry.key not in ours]
    return [*notes, *(f"{key} was left by a writer that died, or is being written" for key in found)]
