"""A single Zarr store, of either format, one dimension of which grows."""

from collections.abc import Sequence
from typing import ClassVar

from zcollection_import.form import Form, Unit
from zcollection_import.partitions import absent_chunks_note
from zcollection_import.zarr_groups import ZarrUnit


class ZarrStoreForm(Form):
    """A Zarr group, with the groups below it."""

    kind: ClassVar[str] = "zarr"
    title: ClassVar[str] = "a Zarr store"

    def units(self) -> Sequence[Unit]:
        """Return the store: it is one unit, whose blocks follow each other along the axis."""
        return [ZarrUnit("zarr", self.place)]

    @property
    def notes(self) -> tuple[str, ...]:
        """Chunks that are absent."""
        return absent_chunks_note(self.units())
