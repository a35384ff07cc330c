"""The variables of a Zarr hierarchy of format 2 or 3: lazy and not decoded; missing chunks are reported."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import xarray as xr
import zarr
from xarray.backends import ZarrStore

from zcollection.errors import CorruptionError
from zcollection_import.form import Groups, Unit, naming
from zcollection_import.place import Place


class ZarrUnit(Unit):
    """A Zarr group with its subgroups.

    Parameters
    ----------
    name
        The name of the unit.
    place
        The location of the group.
    """

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name)
        self.place = place
        self._read: dict[str, ZarrStore] | None = None

    def groups(self, axis: str) -> Groups:
        """Return the variables after a check that their chunks exist."""
        del axis
        found: Groups = {}
        for path, group in self._opened().items():
            found[path] = {}
            for name in sorted(name for name, _ in group.zarr_group.arrays()):
                with naming(f"{self.name}, variable {f'{path}/{name}'.lstrip('/')!r}"):
                    array = group.zarr_group[name]
                    check_chunks(array)
                    found[path][name] = _without_encoding(_variable(group, name))
        return found

    def attributes(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of the groups."""
        return {path: dict(group.zarr_group.attrs) for path, group in self._opened().items()}

    def absent_chunks(self) -> Counter[str]:
        """Return the number of chunks of each variable that are not stored; Zarr reads them as the fill value."""
        absent: Counter[str] = Counter()
        for path, group in self._opened().items():
            for name, array in group.zarr_group.arrays():
                count = array.nchunks - array.nchunks_initialized
                if count > 0:
                    absent[f"{path}/{name}".lstrip("/")] += count
        return absent

    def fill_values(self) -> dict[str, Any]:
        """Return the fill values of Zarr v2 arrays that have one, by path."""
        return {
            f"{path}/{name}".lstrip("/"): array.fill_value
            for path, group in self._opened().items()
            for name, array in group.zarr_group.arrays()
            if array.metadata.zarr_format == 2 and array.fill_value is not None
        }

    def close(self) -> None:
        """Close the groups."""
        self._read = None

    def _opened(self) -> dict[str, ZarrStore]:
        if self._read is None:
            store = self.place.zarr()
            # Consolidated metadata may be older than the arrays: it is not used.
            root = zarr.open_group(store, mode="r", use_consolidated=False)
            self._read = {
                path: ZarrStore.open_group(
                    store, mode="r", group=path or None, consolidated=False, zarr_format=root.metadata.zarr_format
                )
                for path in _paths(root)
            }
        return self._read


def _paths(group: "zarr.Group", above: str = "") -> Iterator[str]:
    yield above
    for name, child in sorted(group.groups()):
        if not name.startswith((".", "_")):
            yield from _paths(child, f"{above}/{name}".lstrip("/"))


def check_chunks(array: Any) -> None:
    """Check that all chunks of an array without a fill value exist: missing ones would read as arbitrary values.

    Raises
    ------
    CorruptionError
        A chunk is missing.
    """
    if array.metadata.fill_value is not None or math.prod(array.shape) == 0:
        return
    missing = array.nchunks - array.nchunks_initialized
    if missing:
        message = f"{missing} of its {array.nchunks} chunks are missing, and it has no fill value; restore them, or leave the variable out with drop"
        raise CorruptionError(message)


def _variable(group: ZarrStore, name: str) -> xr.Variable:
    item: xr.Variable = group.open_store_variable(name)  # type: ignore[no-untyped-call]  # xarray has no types for it
    return item


def _without_encoding(item: xr.Variable) -> xr.Variable:
    """Return a variable whose encoding has only chunks and shards: fill values without an attribute are ignored."""
    item.encoding = {key: value for key, value in item.encoding.items() if key in {"chunks", "shards"}}
    return item
