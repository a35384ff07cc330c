"""The common parts of older collections: partitions in ``key=value`` directories, declared in one document."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import xarray as xr
from attrs import frozen

from zcollection.errors import CorruptionError
from zcollection.plugin import Partitioning
from zcollection_import.documents import document, fill_attribute, partitioning_of
from zcollection_import.form import Form, Groups, Unit, naming
from zcollection_import.place import Place
from zcollection_import.zarr_groups import ZarrUnit


@frozen
class Declaration:
    """The declaration of variables in the configuration of an older collection.

    Attributes
    ----------
    variables
        The ``attrs`` and the ``fill_value`` of each variable, by path.
    attrs
        The attributes of groups, by path.
    """

    variables: Mapping[str, Mapping[str, Any]]
    attrs: Mapping[str, Mapping[str, Any]]


class OlderCollection(Form):
    """A collection of an older release, which is declared in one JSON document.

    Attributes
    ----------
    document_name
        The name of the document.
    kind_key
        The key of the name of the partitioning in the document.
    """

    document_name: ClassVar[str]
    kind_key: ClassVar[str]

    @cached_property
    def _configuration(self) -> dict[str, Any]:
        return document(self.place, self.document_name)

    @property
    def _what(self) -> str:
        return f"{self.document_name} of {self.place.url}"

    @property
    def axis(self) -> str:
        """The axis in the configuration of the collection."""
        with naming(self._what):
            return str(self._configuration["axis"])

    def partitioning(self, axis: str) -> Partitioning:
        """Return the partitioning in the configuration of the collection."""
        del axis
        with naming(self._what):
            stated: dict[str, Any] = self._configuration["partitioning"]
            kind = str(stated[self.kind_key])
        return partitioning_of(stated, kind=kind, what=self._what)

    def _partitions(self, paths: Sequence[str], declaration: Declaration, immutable: str) -> Sequence[Unit]:
        """Return the partitions of some paths, with the variables that are stored once in the directory `immutable`."""
        once = ZarrUnit(immutable, self.place.below(immutable)) if self.place.exists(immutable) else None
        return [Partition(path, self.place.below(path), declaration, once) for path in paths]


class Partition(ZarrUnit):
    """A partition with the immutable variables; their attributes are in the configuration.

    Parameters
    ----------
    name, place
        As for `ZarrUnit`.
    declaration
        The declaration in the configuration.
    once
        The immutable variables, stored once for all partitions.
    """

    def __init__(self, name: str, place: Place, declaration: Declaration, once: ZarrUnit | None) -> None:
        super().__init__(name, place)
        self._declaration = declaration
        self._once = once
        self.expected = frozenset(declaration.variables)

    def groups(self, axis: str) -> Groups:
        """Return the variables with the attributes of the configuration."""
        found = super().groups(axis)
        for path, variables in self._once.groups(axis).items() if self._once is not None else ():
            found[path] = {**variables, **found.get(path, {})}
        order = {path: position for position, path in enumerate(self._declaration.variables)}
        declared: Groups = {}
        for path, variables in found.items():
            named = {name: f"{path}/{name}".lstrip("/") for name in variables}
            ordered = sorted(variables, key=lambda name: order.get(named[name], len(order)))
            declared[path] = {name: self._with_declaration(named[name], variables[name]) for name in ordered}
        return declared

    def attributes(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of groups in the configuration."""
        return {path: dict(attrs) for path, attrs in self._declaration.attrs.items()}

    def _with_declaration(self, path: str, item: xr.Variable) -> xr.Variable:
        declared = self._declaration.variables.get(path)
        if declared is None:
            return item
        # The fill value of an array means nothing here: Zarr v3 requires one.
        own = {name: value for name, value in item.attrs.items() if name != "_FillValue"}
        copied = item.copy(deep=False)
        copied.attrs = own | dict(declared["attrs"]) | fill_attribute(declared["fill_value"], item.dtype)
        return copied


def partition_paths(place: Place, document: str, above: str = "") -> Iterator[str]:
    """Yield the paths of the innermost ``key=value/…`` directories.

    Parameters
    ----------
    place
        The location of the collection.
    document
        The name of the document that marks a group.
    above
        The directory to search, for the recursion.

    Raises
    ------
    CorruptionError
        A directory is not a group.
    """
    for name in place.below(above).directories():
        if "=" not in name:
            continue
        path = f"{above}/{name}".lstrip("/")
        deeper = list(partition_paths(place, document, path))
        yield from deeper
        if not deeper:
            if not place.exists(f"{path}/{document}"):
                message = (
                    f"{path} of {place.url} has no {document}; restore it, or remove the directory, and import again"
                )
                raise CorruptionError(message)
            yield path


def absent_chunks_note(units: Sequence[Unit]) -> tuple[str, ...]:
    """Return a note on chunks that are not stored, if any."""
    absent: Counter[str] = Counter()
    for unit in units:
        if isinstance(unit, ZarrUnit):
            absent += unit.absent_chunks()
            unit.close()
    if not absent:
        return ()
    listed = ", ".join(f"{name} ({count})" for name, count in sorted(absent.items()))
    return (f"chunks that are not stored, and read as the fill value of their array: {listed}",)
