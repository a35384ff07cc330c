"""Collections of zcollection 1.x: Zarr v2 groups in ``key=value`` directories, declared in ``.zcollection``."""

from collections.abc import Sequence
from typing import ClassVar, Final

from zcollection_import.form import Unit, in_natural_order, naming
from zcollection_import.partitions import Declaration, OlderCollection, absent_chunks_note, partition_paths

MARKER: Final = ".zcollection"
IMMUTABLE: Final = ".immutable"


class FirstSeries(OlderCollection):
    """A collection of zcollection 1.x."""

    kind: ClassVar[str] = "zcollection-1"
    title: ClassVar[str] = "a collection of zcollection 1.x (Zarr v2)"

    document_name: ClassVar[str] = MARKER
    kind_key: ClassVar[str] = "id"

    def units(self) -> Sequence[Unit]:
        """Return the partitions of the collection, in the order of their keys."""
        with naming(self._what):
            stated = self._configuration["dataset"]
            variables = {
                item["name"]: {"attrs": dict(item["attrs"]), "fill_value": item["fill_value"]}
                for item in stated["variables"]
            }
            declaration = Declaration(variables, {"": dict(stated["attrs"])})
        paths = in_natural_order(partition_paths(self.place, ".zgroup"))
        return self._partitions(paths, declaration, IMMUTABLE)

    @property
    def notes(self) -> tuple[str, ...]:
        """A note on absent chunks."""
        return absent_chunks_note(self.units())
