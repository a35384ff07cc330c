"""An open unit: its number of rows, and blocks of rows as undecoded xarray objects."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
import xarray as xr
from attrs import field, frozen

from zcollection.errors import CorruptionError, SchemaError, accepted
from zcollection_import.form import Groups, Unit, naming


@frozen
class OpenUnit:
    """An open unit with its variables, except those that are left out.

    Attributes
    ----------
    unit
        The unit.
    groups
        Its variables.
    dimension
        The dimension of the axis.
    """

    unit: Unit
    groups: Groups = field(repr=False)
    dimension: str

    @classmethod
    def of(cls, unit: Unit, axis: str, drop: Iterable[str]) -> Self:
        """Open a unit.

        Raises
        ------
        SchemaError
            The unit has no such axis.
        CorruptionError
            The unit cannot be read, or a declared variable is missing.
        """
        left_out = set(drop)
        with naming(unit.name):
            groups = {
                path: {name: item for name, item in variables.items() if f"{path}/{name}".lstrip("/") not in left_out}
                for path, variables in unit.groups(axis).items()
            }
            _check_expected(unit, groups, left_out)
            return cls(unit, groups, _dimension_of(groups[""], axis))

    @property
    def rows(self) -> int:
        """The number of rows."""
        return next((item.sizes[self.dimension] for item in self._variables() if self.dimension in item.dims), 0)

    def blocks(self, first: int, last: int, block_bytes: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of rows that are read at once: about `block_bytes`, aligned to chunks."""
        length = self._block_length(block_bytes)
        while first < last:
            stop = min((first // length + 1) * length, last)
            yield first, stop
            first = stop

    def _block_length(self, block_bytes: int) -> int:
        along = [item for item in self._variables() if self.dimension in item.dims]
        row = sum(item.dtype.itemsize * math.prod(item.shape) // max(item.sizes[self.dimension], 1) for item in along)
        chunk = max((_chunk_length(item, self.dimension) for item in along), default=1)
        return int(max(block_bytes // max(row, 1) // chunk, 1) * chunk)

    def block(self, start: int, stop: int) -> "xr.Dataset | xr.DataTree":
        """Return a range of rows in memory, with the immutable variables.

        Raises
        ------
        CorruptionError
            A variable cannot be read.
        """
        rows = {self.dimension: slice(start, stop)}
        attrs = self.unit.attributes()
        datasets = {}
        for path, variables in self.groups.items():
            read = {}
            for name, item in variables.items():
                with naming(f"{self.unit.name}, variable {f'{path}/{name}'.lstrip('/')!r}"):
                    read[name] = _loaded(item.isel(rows, missing_dims="ignore"))
            datasets[path] = _dataset(read, attrs.get(path, {}))
        with naming(self.unit.name):
            return (
                datasets[""]
                if set(datasets) == {""}
                else xr.DataTree.from_dict({f"/{k}": v for k, v in datasets.items()})
            )

    def _variables(self) -> Iterator[xr.Variable]:
        return (item for variables in self.groups.values() for item in variables.values())


def _dataset(variables: dict[str, xr.Variable], attrs: dict[str, Any]) -> xr.Dataset:
    """Return a dataset without indexes, which would convert their values."""
    named = {name: item for name, item in variables.items() if item.dims == (name,)}
    rest = {name: item for name, item in variables.items() if name not in named}
    return xr.Dataset(rest, coords=xr.Coordinates(named, indexes={}), attrs=attrs)


def _loaded(item: xr.Variable) -> xr.Variable:
    return xr.Variable(item.dims, np.asarray(item.values), item.attrs, item.encoding)


def _chunk_length(item: xr.Variable, dimension: str) -> int:
    chunks = item.encoding.get("shards") or item.encoding.get("chunks") or item.encoding.get("chunksizes")
    if not isinstance(chunks, tuple) or len(chunks) != item.ndim:
        return 1
    length = chunks[item.dims.index(dimension)]
    return length if isinstance(length, int) and length > 0 else 1


def _check_expected(unit: Unit, groups: Groups, left_out: set[str]) -> None:
    present = {f"{path}/{name}".lstrip("/") for path, variables in groups.items() for name in variables}
    absent = sorted(unit.expected - present - left_out)
    if absent:
        message = f"variable {absent[0]!r} is missing, which the configuration declares; restore it, or leave it out everywhere with drop"
        raise CorruptionError(message)


def _dimension_of(root: dict[str, xr.Variable], axis: str) -> str:
    if axis in root and root[axis].ndim == 1:
        return str(root[axis].dims[0])
    if any(axis in item.dims for item in root.values()) and axis not in root:
        return axis
    choices = [name for name, item in root.items() if item.ndim == 1]
    message = (
        f"axis {axis!r} is neither a one-dimensional variable nor a dimension of the root; {accepted(axis, choices)}"
    )
    raise SchemaError(message)
