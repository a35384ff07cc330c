"""Collections of the Zarr v3 rewrite of zcollection: ``_zcollection.json`` in its format, and Zarr v3 groups."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final

from zcollection.errors import CorruptionError
from zcollection_import.documents import document
from zcollection_import.form import Unit, in_natural_order, naming
from zcollection_import.partitions import Declaration, OlderCollection, absent_chunks_note, partition_paths

CONFIGURATION: Final = "_zcollection.json"
CATALOG: Final = "_catalog/state.json"
IMMUTABLE: Final = "_immutable"


class Rewrite(OlderCollection):
    """A collection of the rewrite, with or without its catalog."""

    kind: ClassVar[str] = "zcollection-rewrite"
    title: ClassVar[str] = "a collection of the Zarr v3 rewrite of zcollection"

    document_name: ClassVar[str] = CONFIGURATION
    kind_key: ClassVar[str] = "name"

    @cached_property
    def _paths(self) -> tuple[list[str], list[str]]:
        """The paths of the partitions, and of partitions that are missing from its catalog if it has one."""
        found = in_natural_order(partition_paths(self.place, "zarr.json"))
        with naming(self._what):
            has_catalog = bool(self._configuration["catalog"]["enabled"])
        if not has_catalog:
            return found, []
        what = f"{CATALOG} of {self.place.url}"
        with naming(what):
            listed = list(map(str, document(self.place, CATALOG)["paths"]))
        missing = sorted(set(listed) - set(found))
        if missing:
            message = f"{what} lists the partition {missing[0]!r}, which does not exist; restore it, and import again"
            raise CorruptionError(message)
        return in_natural_order(listed), sorted(set(found) - set(listed))

    def units(self) -> Sequence[Unit]:
        """Return the partitions of the collection, in the order of their keys."""
        with naming(self._what):
            schema = self._configuration["schema"]
            declaration = Declaration(dict(_variables(schema)), dict(_attributes(schema)))
        return self._partitions(self._paths[0], declaration, IMMUTABLE)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on partitions that are missing from its catalog, and on absent chunks."""
        unlisted = [f"{path} is not in {CATALOG}, and was left out" for path in self._paths[1]]
        return (*unlisted, *absent_chunks_note(self.units()))


def _variables(group: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for item in group["variables"]:
        name, fill = f"{above}/{item['name']}".lstrip("/"), item["fill_value"]
        yield name, {"attrs": dict(item["attrs"]), "fill_value": fill}
    for child in group["groups"]:
        yield from _variables(child, f"{above}/{child['name']}".lstrip("/"))


def _attributes(group: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield above, dict(group["attrs"])
    for child in group["groups"]:
        yield from _attributes(child, f"{above}/{child['name']}".lstrip("/"))
