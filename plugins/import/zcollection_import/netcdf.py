"""Folders of NetCDF files: every file is a unit; its groups become groups."""

import functools
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, ClassVar, Final

import xarray as xr

from zcollection.errors import MissingDependencyError
from zcollection_import.form import Form, Groups, Unit, in_natural_order, naming
from zcollection_import.place import Place

ENDINGS: Final = (".nc", ".nc4", ".cdf", ".netcdf")

_UNDECODED: Final[dict[str, Any]] = {
    "mask_and_scale": False,
    "decode_times": False,
    "decode_timedelta": False,
    "decode_coords": False,
    "cache": False,
}
"""Character arrays become strings; all other values stay as stored, and the collection decodes them by their attributes."""


class NetCDFFolder(Form):
    """A NetCDF file, or a folder of NetCDF files."""

    kind: ClassVar[str] = "netcdf"
    title: ClassVar[str] = "NetCDF files"

    def units(self) -> Sequence[Unit]:
        """Return the files, in the natural order of their names."""
        if self.place.is_file:
            return [_File(self.place.name, self.place)]
        names = in_natural_order(name for name in self.place.walk() if name.lower().endswith(ENDINGS))
        return [_File(name, self.place.below(name)) for name in names]


class _File(Unit):
    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name)
        self._place = place
        self._read: dict[str, xr.Dataset] | None = None

    def groups(self, axis: str) -> Groups:
        del axis
        return {
            path: {str(name): item for name, item in dataset.variables.items()}
            for path, dataset in self._opened().items()
        }

    def attributes(self) -> dict[str, dict[str, Any]]:
        return {path: {str(k): v for k, v in dataset.attrs.items()} for path, dataset in self._opened().items()}

    def close(self) -> None:
        for dataset in (self._read or {}).values():
            dataset.close()
        self._read = None

    @property
    def unlimited(self) -> frozenset[str]:
        return frozenset(map(str, self._opened()[""].encoding.get("unlimited_dims", ())))

    def _opened(self) -> dict[str, xr.Dataset]:
        if self._read is None:
            with naming(self.name):
                self._read = _groups_of(self._place)
        return self._read


def _groups_of(place: Place) -> dict[str, xr.Dataset]:
    with place.open() as file:
        classic = file.read(3) == b"CDF"
    engine = "scipy" if classic else "h5netcdf"
    if find_spec(engine) is None:
        raise MissingDependencyError.of(engine, extra="import", purpose=f"reading {place.name}")
    source: Any = place.path if place.url.scheme == "file" else place.open()
    if classic:
        return {"": xr.open_dataset(source, engine="scipy", **_UNDECODED)}
    reading = functools.partial(xr.open_groups, source, engine="h5netcdf", **_UNDECODED)
    return {path.strip("/"): dataset for path, dataset in reading().items()}
