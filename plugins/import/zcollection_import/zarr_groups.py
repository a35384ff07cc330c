"""The variables of a Zarr hierarchy of either format: lazy, with nothing decoded, and no chunk missing in silence."""

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
    """A Zarr group and the groups below it.

    Parameters
    ----------
    name
        Of the unit.
    place
        Where the group lies.
    """

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name)
        self.place = place
        self._read: dict[str, ZarrStore] | None = None

    def groups(self, axis: str) -> Groups:
        """Return the variables, after a look at whether their chunks are there."""
        del axis
        found: Groups = {}
        for path, group in self._opened().items():
            found[path] = {}
            for name in sorted(name for name, _ in group.zarr_group.arrays()):
                with naming(f"{self.name}, variable {f'{path}/{name}'.lstrip('/')!r}"):
                    array = group.zarr_group[name]
                    check_chunks(array)
                    found[path][name] = _plain(_variable(group, name))
        return found

    def attributes(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of the groups."""
        return {path: dict(group.zarr_group.attrs) for path, group in self._opened().items()}

    def absent_chunks(self) -> Counter[str]:
        """Return how many chunks of each variable are not stored, which by the specification of Zarr read as its fill value."""
        absent: Counter[str] = Counter()
        for path, group in self._opened().items():
            for name, array in group.zarr_group.arrays():
                count = array.nchunks - array.nchunks_initialized
                if count > 0:
                    absent[f"{path}/{name}".lstrip("/")] += count
        return absent

    def fill_values(self) -> dict[str, Any]:
        """Return the fill values of arrays of Zarr v2, by path; of those that have one."""
        return {
            f"{path}/{name}".lstrip("/"): array.fill_value
            for path, group in self._opened().items()
            for name, array in group.zarr_group.arrays()
            if array.metadata.zarr_format == 2 and array.fill_value is not None
        }

    def close(self) -> None:
        """Forget what was opened."""
        self._read = None

    def _opened(self) -> dict[str, ZarrStore]:
        if self._read is None:
            store = self.place.zarr()
            # Consolidated metadata may be older than the arrays: it is not believed.
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
    """Check that the chunks of an array without a fill value are there: what is missing would read as anything.

    Raises
    ------
    CorruptionError
        One is missing.
    """
    if array.metadata.fill_value is not None or math.prod(array.shape) == 0:
        return
    missing = array.nchunks - array.nchunks_initialized
    if missing:
        message = f"{missing} of its {array.nchunks} chunks are missing, and it has no fill value; restore them, or leave the variable out with drop"
        raise CorruptionError(message)


def _variable(group: ZarrStore, name: str) -> xr.Variable:
    item: xr.Variable = group.open_store_variable(name)  # type: ignore[no-untyped-call]  # xarray has no types there
    return item


def _plain(item: xr.Variable) -> xr.Variable:
    """Return a variable without what its encoding says of a fill value that nobody stated in an attribute."""
    item.encoding = {key: value for key, value in item.encoding.items() if key in {"chunks", "shards"}}
    return item
