"""Scans of a view: rows of the base together with the variables of the view, in bounded memory."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.read.consistent import Generation, generation
from zcollection.collection.read.request import SelectedPartitions, Where
from zcollection.collection.read.scan import Piece, ScanSource, read_piece
from zcollection.engine.read_rows import VariableSource
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.view.open_view import OpenView
from zcollection.view.reading import Stale, computed, request_for
from zcollection.view.snapshot import ViewSnapshot


@frozen(kw_only=True, eq=False)
class ViewSource(ScanSource):
    """A view as the source of a scan.

    Attributes
    ----------
    opened_view
        The view.
    stale
        How to read partitions that are not current; see `View.query`.
    """

    opened_view: OpenView
    stale: Stale
    _computed: dict[tuple[str, Generation], Dataset] = field(factory=dict, init=False)
    """Cache of the last computed partitions: a large partition is read in several pieces, but computed once."""

    @classmethod
    def of(
        cls, opened_view: OpenView, *, filters: Filter, where: Where, variables: Iterable[str] | None, stale: Stale
    ) -> "ViewSource":
        """Return the source for the arguments of `View.scan`."""
        schema = opened_view.schema if variables is None else opened_view.schema.select(variables)
        return cls(
            request=request_for(opened_view, filters, where, stale), schema=schema, opened_view=opened_view, stale=stale
        )

    @property
    def condition_schema(self) -> DatasetSchema:  # noqa: D102
        return self.opened_view.schema

    @property
    def _own(self) -> DatasetSchema:
        """The variables of the view that are read."""
        mine = self.opened_view.own.schema
        return mine.select(self.schema.all_variables().keys() & mine.all_variables().keys())

    @property
    def _rest(self) -> DatasetSchema:
        """The variables of the base that are read."""
        return self.opened_view.base.schema.select(
            self.schema.all_variables().keys() - self._own.all_variables().keys()
        )

    async def newest(self) -> SelectedPartitions:  # noqa: D102
        view = await ViewSnapshot.newest(self.opened_view)
        selected = await self.request.select(view.base, view)
        if self.stale == "error" and self._own.all_variables():
            view.check_current(selected.partitions)
        return selected

    async def is_outdated(self, selected: SelectedPartitions) -> bool:  # noqa: D102
        return await _view_of(selected).is_outdated()

    def generation(self, selected: SelectedPartitions, path: str) -> Generation:  # noqa: D102
        view, (stamp, place) = _view_of(selected), generation(selected.snapshot, path)
        if view.is_current(path):
            mine, own_place = generation(view.own, path)
            return f"{stamp} {mine}", f"{place} {own_place}"
        # Computed values also depend on neighbouring partitions, and so on the whole version.
        return (f"{stamp} {selected.snapshot.label}" if self.stale == "compute" else f"{stamp} "), place

    async def read(self, selected: SelectedPartitions, piece: Piece) -> Mapping[str, NDArray[Any]]:  # noqa: D102
        sources = [
            VariableSource(schema=self.opened.part(self._rest, partitioned=True)),
            VariableSource(schema=self._own, objects=_view_of(selected).objects),
        ]
        theirs, mine = await read_piece(selected, piece, sources)
        await self._compute(selected, piece, mine)
        return {**theirs, **mine}

    async def read_immutable(self, selected: SelectedPartitions) -> Mapping[str, NDArray[Any]]:  # noqa: D102
        return await partition_groups.read_immutable(self.opened, selected.snapshot, self._rest)

    async def reloaded(self) -> "ViewSource | None":  # noqa: D102
        opened_view = OpenView(await self.opened_view.base.reloaded(), await self.opened_view.own.reloaded())
        if opened_view == self.opened_view:
            return None
        request, names = self.request, self.schema.all_variables()
        return self.of(opened_view, filters=request.filters, where=request.where, variables=names, stale=self.stale)

    def for_iteration(self) -> Self:  # noqa: D102
        return evolve(self)

    async def _compute(self, selected: SelectedPartitions, piece: Piece, mine: Mapping[str, NDArray[Any]]) -> None:
        """Replace the fill values of partitions that are not current by computed values."""
        view = _view_of(selected)
        if self.stale != "compute" or not mine:
            return
        needed = {path: (path, self.generation(selected, path)) for path in piece if not view.is_current(path)}
        missing = {path: selected.partitions[path] for path, each in needed.items() if each not in self._computed}
        made = await computed(self.opened_view, selected.snapshot, missing)
        cached = {each: self._computed[each] if each in self._computed else made[path] for path, each in needed.items()}
        self._computed.clear()
        self._computed.update(cached)
        start = 0
        for path, rows in piece.items():
            if path in needed:
                self._put(cached[needed[path]].isel({self.opened.dimension: rows.positions}), mine, start, rows.count)
            start += rows.count

    def _put(self, made: Dataset, mine: Mapping[str, NDArray[Any]], start: int, count: int) -> None:
        for path, values in mine.items():
            variable = made.get_variable(f"/{path}")
            at = variable.dimensions.index(self.opened.dimension)
            values[(*(slice(None),) * at, slice(start, start + count))] = variable.to_numpy()


def _view_of(selected: SelectedPartitions) -> ViewSnapshot:
    view = selected.view
    assert isinstance(view, ViewSnapshot)  # noqa: S101 - `newest` made it
    return view
