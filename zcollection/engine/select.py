"""Finds the rows that pass a condition.

There are two steps:

1. Read the statistics of the partitions. For every zone of rows they show whether no row, perhaps some rows, or all rows pass.
2. Read the condition's own variables, from the chunks that contain an undecided zone, and evaluate the condition.

The selected variables are then read for these rows only; see `read_rows`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.conditions.condition import Bound
from zcollection.conditions.zones import ALWAYS, NEVER, PERHAPS, Verdicts, Zones
from zcollection.contracts.objects import Objects, Read
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.executor import in_thread, worthwhile_threads
from zcollection.engine.jobs import Arrays, Executor, Job, ReadingSite, Site
from zcollection.engine.read import allocated, check_within_limits
from zcollection.engine.read_rows import Target, VariableSource, filling
from zcollection.engine.selected_rows import NO_ROWS, Runs, SelectedRows
from zcollection.engine.statistics import ZONE, Form, Statistics, zones_in
from zcollection.engine.work import Work, fetch, perform, perform_one
from zcollection.model.schema import DatasetSchema

_TOGETHER: Final = 64
"""Number of partitions whose statistics are read by one request."""
_DEFERRED: Final = 2**20
"""Largest total number of rows for which the condition is evaluated once for all partitions, instead of once per partition."""


class Finder(ABC):
    """Selects rows in partitions."""

    @abstractmethod
    async def find(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[SelectedRows]:
        """Return the selected rows of each partition, in the order of `targets`.

        Raises
        ------
        CorruptionError
            A chunk is missing or damaged.
        """

    @abstractmethod
    def finding(self, target: Target) -> Work[SelectedRows]:
        """Return the selected rows of one partition."""

    def only(self, target: Target) -> "Finder":
        """Return a finder for one partition, small enough to be sent to a worker; it need not work for other partitions."""
        del target  # a condition is the same for all partitions
        return self


@frozen
class KnownRows(Finder):
    """Rows that are already known.

    Attributes
    ----------
    rows
        The rows by the path of their partition.
    """

    rows: Mapping[str, SelectedRows]

    async def find(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[SelectedRows]:
        """Return the known rows of each partition; none for a partition without an entry."""
        del objects, executor, progress
        return [self._of(target) for target in targets]

    def finding(self, target: Target) -> Work[SelectedRows]:
        """Return the known rows of one partition."""
        return self._of(target)
        yield  # makes this a generator, as `Work` is; it requests nothing

    def only(self, target: Target) -> "KnownRows":
        """Return a finder with the rows of one partition only."""
        return KnownRows({target.groups[0].path: self._of(target)})

    def _of(self, target: Target) -> SelectedRows:
        return self.rows.get(target.groups[0].path, NO_ROWS)


@frozen(kw_only=True)
class ConditionFinder(Finder):
    """Finds the rows that pass a condition.

    Attributes
    ----------
    bound
        The condition.
    dimension
        The partitioned dimension.
    sources
        The variables of the condition, among others.
    """

    bound: Bound
    dimension: str
    sources: tuple[VariableSource, ...]

    async def find(
        self,
        objects: Objects,
        targets: Sequence[Target],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[SelectedRows]:
        """Return the rows of each partition that pass."""
        if not targets:
            return []
        threads = self._threads(targets)
        if not executor.is_local:
            jobs = (Job(partial(self._find_on_worker, target)) for target in targets)
            site = ReadingSite(objects)
            return await executor.run(site, jobs, total=len(targets), label="find", threads=threads, progress=progress)
        if objects.blocking is not None and threads == 1:
            return await perform_one(objects, self._finding_all(targets, progress))
        batches = [targets[first : first + _TOGETHER] for first in range(0, len(targets), _TOGETHER)]
        read = await perform(objects, map(self._statistics, batches), threads=1)
        verdicts = self._verdicts(targets, [known for batch in read for known in batch])
        room = self._deferrable_rows(targets)
        works = (self._searching(target, verdict, room) for target, verdict in zip(targets, verdicts, strict=True))
        searched = await perform(objects, works, threads=threads, progress=progress)
        return await in_thread(self._evaluated, searched)

    def finding(self, target: Target) -> Work[SelectedRows]:
        """Return the rows of one partition that pass."""
        (found,) = yield from self._finding_all([target], None)
        return found

    def _finding_all(self, targets: Sequence[Target], progress: Callable[[], None] | None) -> Work[list[SelectedRows]]:
        """Return the rows of each partition that pass, one partition after the other."""
        verdicts = self._verdicts(targets, (yield from self._statistics(targets)))
        searched, room = [], self._deferrable_rows(targets)
        for target, verdict in zip(targets, verdicts, strict=True):
            searched.append((yield from self._searching(target, verdict, room)))
            if progress is not None:
                progress()
        return self._evaluated(searched)

    def _deferrable_rows(self, targets: Sequence[Target]) -> int:
        """Return up to how many rows of one partition are evaluated together with those of other partitions."""
        return 0 if self.bound.fields else _DEFERRED // len(targets)

    def _find_on_worker(self, target: Target, site: Site, arrays: Arrays) -> Work[SelectedRows]:
        del site, arrays
        return (yield from self.finding(target))

    def _threads(self, targets: Sequence[Target]) -> int:
        rows = sum(target.rows for target in targets) // max(len(targets), 1)
        return max((worthwhile_threads(schema, self.dimension, rows) for schema in self._schemas), default=1)

    @cached_property
    def _schemas(self) -> tuple[DatasetSchema, ...]:
        """The variables that the condition reads from each source."""
        return tuple(
            source.schema.select(path for path in self.bound.variables if path in source.schema.all_variables())
            for source in self.sources
        )

    @cached_property
    def _paths(self) -> tuple[tuple[str, ...], ...]:
        """The paths of the variables that the condition reads from each source."""
        return tuple(tuple(schema.all_variables()) for schema in self._schemas)

    def _source(self, path: str) -> int:
        return next(at for at, paths in enumerate(self._paths) if path in paths)

    def _statistics(self, targets: Sequence[Target]) -> Work[list[tuple[Statistics | None, ...]]]:
        """Return the statistics of each partition in each source; None if they are not needed or do not exist."""
        needed = [bool(paths) for paths in self._paths]
        known: list[list[Statistics | None]] = [[None] * len(self.sources) for _ in targets]
        for at, source in enumerate(self.sources):
            groups = [target.groups[at] for target in targets]
            keys = [Form.of_group(group, dimension=self.dimension).key for group in groups]
            requested = [number for number, key in enumerate(keys) if needed[at] and key is not None]
            contents = yield from fetch(
                [Read(f"{groups[number].prefix}{keys[number]}") for number in requested], source.objects
            )
            for number, data in zip(requested, contents, strict=True):
                known[number][at] = Statistics.load(
                    data, groups[number], dimension=self.dimension, only=self._paths[at]
                )
        return [tuple(each) for each in known]

    def _verdicts(self, targets: Sequence[Target], known: Sequence[tuple[Statistics | None, ...]]) -> list[Verdicts]:
        """Return the verdict on each zone of each partition: never, perhaps or always."""
        counts = [-(-target.rows // ZONE) for target in targets]
        zones = {name: field_zones([target.key[name] for target in targets], counts) for name in self.bound.fields}
        for path in self.bound.variables:
            source = self._source(path)
            groups = (
                (target.groups[source], by_source[source]) for target, by_source in zip(targets, known, strict=True)
            )
            zones[path] = zones_in(groups, self.sources[source].schema.get_variable(path), path)
        stops = list(accumulate(counts))
        verdicts = self.bound.verdicts(zones, stops[-1] if stops else 0)
        return [verdicts[stop - count : stop] for stop, count in zip(stops, counts, strict=True)]

    def _searching(self, target: Target, verdict: Verdicts, room: int) -> "Work[SelectedRows | _Candidates]":
        """Return the rows of a partition that pass; if there are at most `room` candidates, return these, to be evaluated later."""
        if not (verdict > NEVER).any():
            return NO_ROWS
        if (verdict == ALWAYS).all():
            return SelectedRows.all(target.rows)
        always = np.repeat(verdict == ALWAYS, ZONE)[: target.rows] if (verdict == ALWAYS).any() else None
        runs = self._runs(target, verdict)
        candidates = _Candidates(runs, (yield from self._columns(target, SelectedRows(runs))), always)
        if runs.count <= room:
            return candidates
        key = {name: target.key[name] for name in self.bound.fields}
        return candidates.passing(self.bound.mask({**candidates.columns, **key}, runs.count))

    def _evaluated(self, searched: "Sequence[SelectedRows | _Candidates]") -> list[SelectedRows]:
        """Return the rows that pass, with one mask for all candidates: evaluating many small masks would cost more."""
        candidates = [item for item in searched if isinstance(item, _Candidates)]
        if not candidates:
            return [item for item in searched if isinstance(item, SelectedRows)]
        columns = {path: np.concatenate([item.columns[path] for item in candidates]) for path in self.bound.variables}
        counts = [item.runs.count for item in candidates]
        mask = self.bound.mask(columns, sum(counts))
        masks = iter(np.split(mask, np.cumsum(counts)[:-1]))
        return [item if isinstance(item, SelectedRows) else item.passing(next(masks)) for item in searched]

    @staticmethod
    def _runs(target: Target, verdict: Verdicts) -> Runs:
        """Return the rows of the undecided zones, in which some rows may pass."""
        pairs: list[tuple[int, int]] = []
        for zone in np.flatnonzero(verdict == PERHAPS).tolist():
            start, stop = zone * ZONE, min((zone + 1) * ZONE, target.rows)
            first = pairs.pop()[0] if pairs and pairs[-1][1] == start else start
            pairs.append((first, stop))
        return Runs(tuple(pairs))

    def _columns(self, target: Target, found: SelectedRows) -> Work[dict[str, NDArray[Any]]]:
        """Return the values of the condition's variables for some rows of a partition."""
        columns: dict[str, NDArray[Any]] = {}
        for at, source in enumerate(self.sources):
            variables = {path: source.schema.get_variable(path) for path in self._paths[at]}
            outputs = {path: allocated((found.count,), variable.dtype) for path, variable in variables.items()}
            group = target.groups[at]
            yield from filling(group, source, found, outputs, dimension=self.dimension)
            if group.axis in outputs:
                check_within_limits(group, outputs[group.axis], variables[group.axis])
            columns |= outputs
        return columns


@frozen(eq=False)
class _Candidates:
    """Rows of a partition that may pass.

    Attributes
    ----------
    runs
        The rows.
    columns
        The values of the condition's variables for these rows, by path.
    always
        A mask of the rows of the partition in zones in which all rows pass; None if there are none.
    """

    runs: Runs
    columns: Mapping[str, NDArray[Any]]
    always: NDArray[np.bool_] | None

    def passing(self, mask: NDArray[np.bool_]) -> SelectedRows:
        """Return the rows that pass, given the mask over the candidates."""
        passed = np.flatnonzero(mask)
        rows = self.runs.at(passed)
        if self.always is None:
            return SelectedRows.at(rows, {path: values[passed] for path, values in self.columns.items()})
        every = self.always.copy()
        every[rows] = True
        return SelectedRows.at(np.flatnonzero(every))


def field_zones(values: Sequence[KeyValue], counts: Sequence[int] | int = 1) -> Zones:
    """Return the bounds of a key field in the zones of partitions: its exact value; unknown for strings."""
    repeated = np.repeat(np.asarray(values), counts)
    if repeated.dtype.kind not in "biu":
        return Zones.unknown()
    return Zones.exactly(repeated)
