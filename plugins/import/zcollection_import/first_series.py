"""Collections of zcollection 1.x: Zarr v2 groups in ``key=value`` directories, declared in ``.zcollection``."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Final

from zcollection.plugin import Partitioning
from zcollection_import.documents import document, partitioning_of
from zcollection_import.form import Form, Unit, in_natural_order, naming
from zcollection_import.partitions import Declaration, Partition, absent_chunks_note, partition_paths
from zcollection_import.zarr_groups import ZarrUnit

MARKER: Final = ".zcollection"
IMMUTABLE: Final = ".immutable"


class FirstSeries(Form):
    """A collection of zcollection 1.x."""

    kind: ClassVar[str] = "zcollection-1"
    title: ClassVar[str] = "a collection of zcollection 1.x (Zarr v2)"

    @cached_property
    def _configuration(self) -> dict[str, Any]:
        return document(self.place, MARKER)

    @property
    def _what(self) -> str:
        return f"{MARKER} of {self.place.url}"

    @property
    def axis(self) -> str:
        """The axis in its configuration."""
        with naming(self._what):
            return str(self._configuration["axis"])

    def partitioning(self, axis: str) -> Partitioning:
        """Return the partitioning in its configuration."""
        del axis
        with naming(self._what):
            stated: dict[str, Any] = self._configuration["partitioning"]
            kind = str(stated["id"])
        return partitioning_of(stated, kind=kind, what=self._what)

    def units(self) -> Sequence[Unit]:
        """Return its partitions, in the order of their keys."""
        with naming(self._what):
            stated = self._configuration["dataset"]
            variables = {
                item["name"]: {"attrs": dict(item["attrs"]), "fill_value": item["fill_value"]}
                for item in stated["variables"]
            }
            declaration = Declaration(variables, {"": dict(stated["attrs"])})
        once = ZarrUnit(IMMUTABLE, self.place.below(IMMUTABLE)) if self.place.exists(IMMUTABLE) else None
        paths = in_natural_order(partition_paths(self.place, ".zgroup"))
        return [Partition(path, self.place.below(path), declaration, once) for path in paths]

    @property
    def notes(self) -> tuple[str, ...]:
        """A note on absent chunks."""
        return absent_chunks_note(self.units())
