"""Rows found, and counted, without reading anything else of them."""

from collections.abc import Callable, Mapping

from attrs import define, field

from zcollection import portal
from zcollection.collection.asking import Asked, Chosen
from zcollection.collection.reading import TRIES, Generation, generation, pause
from zcollection.collection.rows import Rows
from zcollection.engine.jobs import Executor
from zcollection.engine.select import Found
from zcollection.errors import ConflictError, CorruptionError, OutdatedError, StoreError
from zcollection.progress import ProgressOption, tracking


@define(eq=False)
class ConsistentFind:
    """Rows that are looked for, and looked for again in part, until all of them are of one version.

    Attributes
    ----------
    asked
        Which rows.
    executor
        Where partitions are looked at.
    """

    asked: Asked
    executor: Executor
    _found: dict[str, tuple[Generation, Found]] = field(factory=dict, init=False)

    async def rows(self, progress: ProgressOption) -> tuple[Chosen, Rows]:
        """Return the rows, and the version that they are of.

        Raises
        ------
        CorruptionError
            A chunk is missing, or is not what was written.
        ConflictError
            Other writers kept changing the same partitions.
        """
        await portal.on_loop()
        handle = self.asked.handle
        concern = handle.passing(self.asked.filters)
        for number in range(TRIES):
            taken = await handle.snapshot(concern)
            chosen = await self.asked.chosen(taken)
            try:
                with tracking(None if number else progress, len(chosen.partitions), "find") as advance:
                    found = await self._look(chosen, advance)
            except (CorruptionError, OutdatedError, StoreError):
                newer = await handle.snapshot(concern)
                if all(generation(taken, path) == generation(newer, path) for path in chosen.partitions):
                    raise
                continue
            if not await handle.is_outdated(taken):
                return chosen, chosen.rows(found)
            await pause(number)
        message = f"other writers kept changing the partitions of {handle.store.url} in which rows were looked for; find them again"
        raise ConflictError(message)

    async def _look(self, chosen: Chosen, advance: Callable[[], None] | None) -> Mapping[str, Found]:
        """Return the rows of each partition; those of generations that were looked at are known."""
        generations = {path: generation(chosen.taken, path) for path in chosen.partitions}
        known = {path: self._found[path] for path in generations if path in self._found}
        missing = [path for path, now in generations.items() if path not in known or known[path][0] != now]
        targets = [chosen.target(path) for path in missing]
        found = await chosen.finder.found(chosen.taken.objects, targets, executor=self.executor, progress=advance)
        # What was read of them on the way is not kept.
        self._found |= {path: (generations[path], Found(item.rows)) for path, item in zip(missing, found, strict=True)}
        return {path: self._found[path][1] for path in generations}
