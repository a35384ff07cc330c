"""A single Zarr store of format 2 or 3 with one growing dimension."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from zcollection_import.form import Form, Unit
from zcollection_import.partitions import absent_chunks_note
from zcollection_import.zarr_groups import ZarrUnit


class ZarrStoreForm(Form):
    """A Zarr group with its subgroups."""

    kind: ClassVar[str] = "zarr"
    title: ClassVar[str] = "a Zarr store"

    def units(self) -> Sequence[Unit]:
        """Return the store as one unit, whose blocks follow each other along the axis."""
        return [ZarrUnit("zarr", self.place)]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on absent chunks and on the meaning of fill values."""
        return (*_fill_values_note(ZarrUnit("zarr", self.place)), *absent_chunks_note(self.units()))


def _fill_values_note(unit: ZarrUnit) -> Iterator[str]:
    stated = {path: fill for path, fill in unit.fill_values().items() if fill == fill}  # noqa: PLR0124 - NaN is missing anyway
    if stated:
        listed = ", ".join(f"{name} ({fill})" for name, fill in sorted(stated.items()))
        yield f"the fill values of Zarr v2 mean missing values, as xarray reads them: {listed}"
