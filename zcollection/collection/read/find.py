"""Consistent searches in partitions, such as for the rows that pass a condition."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from attrs import define, field

from zcollection import portal
from zcollection.collection.read.consistent import Generation, generation, read_consistently
from zcollection.collection.read.request import Request, SelectedPartitions
from zcollection.collection.read.rows import Rows
from zcollection.engine.jobs import Executor
from zcollection.engine.selected_rows import SelectedRows
from zcollection.progress import ProgressOption, tracking

R = TypeVar("R")


@define(eq=False)
class ConsistentSearch(ABC, Generic[R]):
    """A search in partitions that searches changed partitions again until all results belong to one version.

    Attributes
    ----------
    request
        The request that selects the partitions.
    """

    request: Request
    _found: dict[str, tuple[Generation, R]] = field(factory=dict, init=False)

    @abstractmethod
    async def search(
        self, selected: SelectedPartitions, paths: Sequence[str], advance: Callable[[], None] | None
    ) -> Sequence[R]:
        """Return the results for some partitions of a version."""

    async def of_partitions(self, progress: ProgressOption, label: str) -> tuple[SelectedPartitions, dict[str, R]]:
        """Return the result for each partition, and their version.

        Raises
        ------
        CorruptionError
            A chunk is missing or damaged.
        ConflictError
            Other writers kept changing the same partitions.
        """
        await portal.on_loop()

        async def search(selected: SelectedPartitions, progress: ProgressOption) -> dict[str, R]:
            with tracking(progress, len(selected.partitions), label) as advance:
                return await self._search_missing(selected, advance)

        opened = self.request.opened
        return await read_consistently(
            self.request.newest,
            search,
            progress=progress,
            is_same=_is_same,
            is_outdated=lambda selected: opened.is_outdated(selected.snapshot),
            failure=f"other writers kept changing the partitions of {opened.store.url} that were searched; call it again",
        )

    async def _search_missing(self, selected: SelectedPartitions, advance: Callable[[], None] | None) -> dict[str, R]:
        """Return the result for each partition; generations that were searched before are not searched again."""
        generations = {path: generation(selected.snapshot, path) for path in selected.partitions}
        known = {path: self._found[path] for path in generations if path in self._found}
        missing = [path for path, now in generations.items() if path not in known or known[path][0] != now]
        found = await self.search(selected, missing, advance)
        self._found |= {path: (generations[path], item) for path, item in zip(missing, found, strict=True)}
        return {path: self._found[path][1] for path in generations}


def _is_same(before: SelectedPartitions, after: SelectedPartitions) -> bool:
    return all(generation(before.snapshot, path) == generation(after.snapshot, path) for path in before.partitions)


@define(eq=False)
class ConsistentFind(ConsistentSearch[SelectedRows]):
    """A search for rows that pass a condition.

    Attributes
    ----------
    executor
        The executor of the search.
    """

    executor: Executor

    async def rows(self, progress: ProgressOption) -> tuple[SelectedPartitions, Rows]:
        """Return the rows, and their version; raises like `of_partitions`."""
        selected, found = await self.of_partitions(progress, "find")
        return selected, selected.rows(found)

    async def search(
        self, selected: SelectedPartitions, paths: Sequence[str], advance: Callable[[], None] | None
    ) -> Sequence[SelectedRows]:
        """Return the positions of the rows in some partitions, without the values read for the condition."""
        targets = [selected.target(path) for path in paths]
        found = await selected.finder.find(selected.snapshot.objects, targets, executor=self.executor, progress=advance)
        return [SelectedRows(item.rows) for item in found]
