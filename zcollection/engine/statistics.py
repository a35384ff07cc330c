"""Statistics of a partition: the bounds of its zones of rows, and the checksum of every chunk.

Each partition has one such object, stored under the directory of one of its arrays, where Zarr readers do not look. It
is written, published, copied and removed with the partition, and contains the partition's path and stamp. An object
with another path or stamp belongs to an older generation; it is ignored, and so is a damaged one. Without statistics
a query reads more, and returns the same rows.
"""

import json
import struct
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Any, Final, Literal

import google_crc32c
import numpy as np
from attrs import Factory, define, field, frozen
from numpy.typing import NDArray

from zcollection.conditions.zones import Zones
from zcollection.contracts.objects import Pieces, Read
from zcollection.engine.deliveries import Deliveries
from zcollection.engine.layout import ArrayLayout, Identity, chunk_keys
from zcollection.engine.read import GroupRead, check_limits
from zcollection.engine.sampling import Sampling
from zcollection.engine.work import Work, fetch
from zcollection.errors import CorruptionError
from zcollection.model.geography import is_latitude, is_longitude
from zcollection.model.schema import DatasetSchema, VariableSchema

ZONE: Final = 256
"""Number of rows in a zone: small compared with a chunk, which may contain half an orbit of a satellite."""

STATISTICS: Final = "_statistics"
"""Name of the object; no array, group or chunk has this name."""

_MANY: Final = 10_000
"""Largest number of chunks of an axis that is read from the statistics."""

_MAGIC: Final = b"zcstats1"
_HEAD: Final = struct.Struct("<8sHII")
"""Header of the object: the format, the lengths of owner and description, and the CRC32C of the rest."""
_MISSING, _EMPTY, _KNOWN = 1, 2, 4
Sampled = Mapping[str, Any] | Literal["unknown"] | None
"""The sampling of the axis, as JSON; None if it would need too many runs; "unknown" if it was not determined."""

_NAT: Final = np.iinfo(np.int64).min


@frozen(eq=False)
class Form:
    """The layout of the statistics of partitions that have one schema and one length.

    Attributes
    ----------
    key
        Key of the statistics within the group: under the directory of the axis or, if that is not a variable, of the
        first variable by path. None for a group that is not a partition.
    axis
        The axis, if it is a variable whose values have an order.
    zoned
        The variables with bounds, by path: the axis, latitudes, longitudes, and those declared with ``statistics``.
    count
        Number of zones.
    chunks
        By key, the position of each chunk among the checksums (arrays in the order of their documents), and whether the
        bytes of the chunk end with their checksum.
    """

    key: str | None
    axis: str | None
    zoned: Mapping[str, VariableSchema]
    count: int
    chunks: Mapping[str, tuple[int, bool]]

    @cached_property
    def description(self) -> bytes:
        """The description of statistics that have bounds for all variables of `zoned`."""
        return _described({path: _stored_dtype(variable.dtype) for path, variable in self.zoned.items()}, self.count)

    @classmethod
    def of(cls, schema: DatasetSchema, axis: str | None, *, dimension: str, rows: int) -> "Form":
        """Return the form for partitions of a length; cached per schema object."""
        return _form(Identity(schema), axis, dimension, rows)

    @classmethod
    def of_group(cls, group: GroupRead, *, dimension: str) -> "Form":
        """Return the form of an existing group."""
        return cls.of(group.schema, group.axis, dimension=dimension, rows=group.rows)


@lru_cache(maxsize=4096)
def _form(identity: Identity, axis: str | None, dimension: str, rows: int) -> Form:
    schema = identity.schema
    # Immutable variables, stored once for the whole collection, have no rows.
    paths = [path for path in schema.all_variables() if rows and schema.spans(path, dimension)]
    host = axis if axis in paths else min(paths, default=None)
    layouts = ArrayLayout.several(schema, paths, dimension=dimension, rows=rows)
    zoned = {path: schema.get_variable(path) for path in paths if _is_zoned(schema.get_variable(path), path, axis)}
    return Form(
        key=None if host is None else f"{host}/{STATISTICS}",
        axis=axis if axis in zoned else None,
        zoned=zoned,
        count=-(-rows // ZONE),
        chunks=_chunks(tuple((item.path, item.chunk_counts, item.codecs[-1]["name"] == "crc32c") for item in layouts)),
    )


@lru_cache(maxsize=256)
def _chunks(arrays: tuple[tuple[str, tuple[int, ...], bool], ...]) -> Mapping[str, tuple[int, bool]]:
    """Return `Form.chunks`, given the path of each array, its numbers of chunks, and whether its chunks end with their checksum."""
    sealed = ((key, is_sealed) for path, counts, is_sealed in arrays for key in chunk_keys(path, map(range, counts)))
    return {key: (position, is_sealed) for position, (key, is_sealed) in enumerate(sealed)}


def _is_zoned(variable: VariableSchema, path: str, axis: str | None) -> bool:
    is_selected = path == axis or variable.statistics or is_latitude(variable) or is_longitude(variable)
    return is_selected and variable.has_order


def checksum(data: bytes | Pieces, *, is_sealed: bool) -> int:
    """Return the checksum of a chunk: the CRC32C that ends it if it is sealed, else the CRC32C of its bytes; 0 means unknown."""
    if is_sealed:
        return int.from_bytes((data.parts[-1] if isinstance(data, Pieces) else data)[-4:], "little")
    found: int = google_crc32c.value(bytes(data))
    return found


def zones_of(values: NDArray[Any], variable: VariableSchema, *, start: int = 0) -> Zones:
    """Return the bounds of each zone of some rows.

    Parameters
    ----------
    values
        Values of the declared type, shape (rows,), at least one.
    variable
        The schema of the variable, with the fill value that marks missing values.
    start
        Number of the first row within the partition; zones begin at multiples of `ZONE`.
    """
    edges = _edges(start % ZONE, len(values))
    numbers, equal = _counted(values), _equal_to_fill(values, variable)
    lower = np.minimum.reduceat(numbers, edges)
    if equal is None and not _has_missing(lower, values.dtype):
        upper, (yes, no) = np.maximum.reduceat(numbers, edges), _flags(len(edges))
        return Zones(_declared(lower, values.dtype), _declared(upper, values.dtype), no, no, yes)
    missing = values != values  # noqa: PLR0124 - NaN and NaT differ from themselves
    missing = missing if equal is None else missing | equal
    smallest, largest = _limits(values.dtype)
    lower = np.minimum.reduceat(np.where(missing, largest, numbers), edges)
    upper = np.maximum.reduceat(np.where(missing, smallest, numbers), edges)
    some, every = np.logical_or.reduceat(missing, edges), np.logical_and.reduceat(missing, edges)
    return Zones(_declared(lower, values.dtype), _declared(upper, values.dtype), some, every, np.ones_like(some))


def _equal_to_fill(values: NDArray[Any], variable: VariableSchema) -> NDArray[np.bool_] | None:
    """Return a mask of the values equal to the fill value; None if there are none, or the fill value is NaN or NaT."""
    fill = variable.fill_value
    if fill is None or fill != fill:  # noqa: PLR0124 - as above
        return None
    found = values == fill
    return found if found.any() else None


def _has_missing(lower: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Return whether zone minima reveal NaN or NaT: NaN propagates, and NaT is the smallest int64."""
    if dtype.kind == "f":
        return bool((lower != lower).any())  # noqa: PLR0124 - as above
    return dtype.kind in "mM" and bool((lower == _NAT).any())


@lru_cache(maxsize=256)
def _edges(offset: int, rows: int) -> NDArray[np.intp]:
    """Return the first row of each zone, for `rows` rows that start `offset` rows after the beginning of a zone."""
    edges = np.arange(-offset, rows, ZONE)
    edges[0] = 0
    edges.flags.writeable = False
    return edges


@lru_cache(maxsize=256)
def _flags(count: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return an array of True and one of False, both of a length and read-only."""
    yes, no = np.ones(count, np.bool_), np.zeros(count, np.bool_)
    yes.flags.writeable = no.flags.writeable = False
    return yes, no


def _counted(values: NDArray[Any]) -> NDArray[Any]:
    """Return a view of values as numbers: times as int64, booleans as uint8."""
    if values.dtype.kind in "mM":
        return values.view(np.int64)
    return values.view(np.uint8) if values.dtype.kind == "b" else values


def _declared(numbers: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return numbers.view(dtype) if dtype.kind in "mMb" else numbers.astype(dtype, copy=False)


def _limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Return the smallest and the largest number that a value of a type can be."""
    if dtype.kind == "f":
        return dtype.type(-np.inf), dtype.type(np.inf)
    limits = np.iinfo(_counted(np.empty(0, dtype)).dtype)
    return -limits.max if dtype.kind in "mM" else limits.min, limits.max  # the smallest int64 is NaT


def unknown_zones(variable: VariableSchema, count: int) -> Zones:
    """Return zones with unknown bounds."""
    yes, no = _flags(count)
    return Zones(*_empty_bounds(variable.dtype, count), yes, no, no)


def all_missing(variable: VariableSchema, count: int) -> Zones:
    """Return zones in which all values are missing."""
    yes, _ = _flags(count)
    return Zones(*_empty_bounds(variable.dtype, count), yes, yes, yes)


def _empty_bounds(dtype: np.dtype[Any], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return empty bounds, largest below smallest: joined with other bounds they change nothing."""
    smallest, largest = _limits(dtype)
    numbers = _counted(np.empty(0, dtype)).dtype
    return _declared(np.full(count, largest, numbers), dtype), _declared(np.full(count, smallest, numbers), dtype)


@frozen(kw_only=True)
class Statistics:
    """The statistics of one partition.

    Attributes
    ----------
    owner
        The path and the generation of the partition, as `owner_of` returns them.
    zones
        Bounds of the zones by variable path.
    checksums
        uint32, one for each chunk in the order of `Form.chunks`; 0 for an unknown one.
    sampling
        The sampling of the axis.
    deliveries
        The insertion times of its rows, as JSON; None if unknown.
    """

    owner: str
    zones: Mapping[str, Zones]
    checksums: NDArray[np.uint32] = field(eq=False)
    sampling: Sampled = "unknown"
    deliveries: Mapping[str, Any] | None = None

    def is_complete(self, names: Iterable[str], form: Form, absent: Collection[str]) -> bool:
        """Return whether the statistics contain everything that can be computed from the values of a partition.

        That is: the bounds of all zones of the variables `names`, the checksum of every sealed chunk (one that ends
        with its checksum), and the sampling of the axis. Absent variables have no chunks. Insertion times cannot be
        computed from values, and are not required.
        """
        if form.axis is not None and form.axis not in absent and self.sampling == "unknown":
            return False
        without = tuple(f"{path}/c/" for path in absent)
        has_sums = all(
            self.checksums[position]
            for key, (position, is_sealed) in form.chunks.items()
            if is_sealed and not key.startswith(without)
        )
        return has_sums and all(name in self.zones and self.zones[name].known.all() for name in names)

    def dump(self, form: Form) -> bytes:
        """Return the statistics as bytes; `load` is the inverse."""
        arrays = [self.checksums.astype("<u4", copy=False).tobytes()]
        for zones in self.zones.values():
            arrays += [_stored_bounds(zones), _stored_flags(zones)]
        text = form.description
        if self.zones.keys() != form.zoned.keys():
            text = _described(
                {path: _stored_dtype(zones.lower.dtype) for path, zones in self.zones.items()}, form.count
            )
        if self._other_members:
            text = text[:-1] + b"," + json.dumps(self._other_members, separators=(",", ":")).encode()[1:]
        return _sealed(self.owner.encode(), text, arrays)

    @property
    def _other_members(self) -> dict[str, Any]:
        """The members of the description besides the bounds."""
        axis = {} if self.sampling == "unknown" else {"axis": self.sampling}
        return axis if self.deliveries is None else {**axis, "deliveries": self.deliveries}

    @classmethod
    def load(
        cls, data: bytes | None, group: GroupRead, *, dimension: str, only: Collection[str] | None = None
    ) -> "Statistics | None":
        """Return the statistics of a group from bytes; None if they are damaged, in another format, or belong to another generation.

        Parameters
        ----------
        data
            The object; None if it does not exist.
        group, dimension
            The group, and the partitioned dimension.
        only
            The variables whose bounds are loaded; None for all.
        """
        found = _opened(data)
        owner = owner_of(group.path, group.stamp or "")
        if found is None or found[0] != owner.encode():
            return None
        _, text, body = found
        form, variables = Form.of_group(group, dimension=dimension), group.schema.all_variables()
        try:
            description = _parsed(text, form.count)
            checksums, at = np.frombuffer(body, "<u4", len(form.chunks)), 4 * len(form.chunks)
            zones = {}
            for path, name in description["zones"].items():
                if only is None or path in only:
                    zones[path] = _loaded_zones(body, at, np.dtype(name), variables[path].dtype, form.count)
                at += (2 * np.dtype(name).itemsize + 1) * form.count
        except (KeyError, ValueError, TypeError, AttributeError):
            return None
        if at != len(body):
            return None
        return cls(
            owner=owner,
            zones=zones,
            checksums=checksums,
            sampling=description.get("axis", "unknown"),
            deliveries=description.get("deliveries"),
        )


def _described(zones: Mapping[str, np.dtype[Any]], count: int) -> bytes:
    """Return the description of an object: the stored type of the bounds of each variable, and the number of zones."""
    names = {path: dtype.str for path, dtype in zones.items()}
    return json.dumps({"zones": names, "count": count, "rows": ZONE}, separators=(",", ":")).encode()


@lru_cache(maxsize=256)
def _parsed(text: bytes, count: int) -> dict[str, Any]:
    """Return a description, parsed.

    Raises
    ------
    ValueError
        It has another number of zones, or zones of another length.
    """
    found: dict[str, Any] = json.loads(text)
    if (found["count"], found["rows"]) != (count, ZONE):
        message = f"{found['count']} zones of {found['rows']} rows instead of {count} of {ZONE}"
        raise ValueError(message)
    return found


def owner_of(path: str, stamp: str) -> str:
    """Return the string that identifies one generation of a partition."""
    return f"{stamp} {path}"


def _sealed(owner: bytes, text: bytes, arrays: Iterable[bytes]) -> bytes:
    body = b"".join([owner, text, *arrays])
    return _HEAD.pack(_MAGIC, len(owner), len(text), google_crc32c.value(body)) + body


def _opened(data: bytes | None) -> tuple[bytes, bytes, bytes] | None:
    """Return the owner, the description and the numbers of an object; None if it is in another format or damaged."""
    if data is None or len(data) < _HEAD.size:
        return None
    magic, owner, text, expected = _HEAD.unpack_from(data)
    body = data[_HEAD.size :]
    if magic != _MAGIC or google_crc32c.value(body) != expected:
        return None
    return body[:owner], body[owner : owner + text], body[owner + text :]


def with_owner(data: bytes, before: str, after: str) -> bytes | None:
    """Return the statistics of one owner rewritten for another, such as a copy; None if `before` does not own them."""
    found = _opened(data)
    if found is None or found[0] != before.encode():
        return None
    return _sealed(after.encode(), found[1], [found[2]])


def _stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the stored bounds of a variable; times and booleans are stored as numbers."""
    return _counted(np.empty(0, dtype)).dtype.newbyteorder("<")


def _stored_bounds(zones: Zones) -> bytes:
    bounds = (zones.lower, zones.upper)
    if sys.byteorder == "big":
        bounds = (bounds[0].byteswap(), bounds[1].byteswap())
    return bounds[0].tobytes() + bounds[1].tobytes()


def _stored_flags(zones: Zones) -> bytes:
    if zones.known is _flags(len(zones.known))[0]:  # no value of any zone is missing
        return bytes([_KNOWN]) * len(zones.known)
    flags = zones.missing * np.uint8(_MISSING) | zones.empty * np.uint8(_EMPTY) | zones.known * np.uint8(_KNOWN)
    return flags.tobytes()


def _loaded_zones(body: bytes, at: int, stored: np.dtype[Any], dtype: np.dtype[Any], count: int) -> Zones:
    if stored != _stored_dtype(dtype):
        message = f"bounds of the type {stored}"
        raise TypeError(message)
    bounds = np.frombuffer(body, stored, 2 * count, at).astype(stored.newbyteorder("="), copy=False)
    flags = np.frombuffer(body, np.uint8, count, at + bounds.nbytes)
    lower, upper = _declared(bounds[:count], dtype), _declared(bounds[count:], dtype)
    if (flags == _KNOWN).all():
        yes, no = _flags(count)
        return Zones(lower, upper, no, no, yes)
    missing, empty, known = ((flags & flag).astype(np.bool_) for flag in (_MISSING, _EMPTY, _KNOWN))
    return Zones(lower, upper, missing, empty, known)


def reading_statistics(
    group: GroupRead, *, dimension: str, only: Collection[str] | None = None
) -> Work[Statistics | None]:
    """Return the statistics of a group, read from its store; None if there are none, or `Statistics.load` rejects them."""
    key = Form.of_group(group, dimension=dimension).key
    if key is None:
        return None
    (data,) = yield from fetch([Read(group.prefix + key)])
    return Statistics.load(data, group, dimension=dimension, only=only)


def reading_axis(group: GroupRead, variable: VariableSchema, *, dimension: str) -> Work[NDArray[Any] | None]:
    """Return the values of the axis of a group as its statistics describe them; None if they do not describe every value.

    A group of very many chunks may have a damaged number of rows: its chunks are read, which checks that they exist.
    """
    axis = group.axis
    if axis is None or axis in group.absent or group.schema.all_variables().get(axis) != variable:
        return None
    if ArrayLayout.of(group.schema, axis, dimension=dimension, rows=group.rows).chunk_count > _MANY:
        return None
    found = yield from reading_statistics(group, dimension=dimension, only=())
    if found is None or not isinstance(found.sampling, Mapping):
        return None
    sampling = Sampling.from_json(found.sampling, rows=group.rows)
    values = None if sampling is None else sampling.axis(variable.dtype)
    return values if values is not None and _is_within_limits(group, values, variable) else None


def _is_within_limits(group: GroupRead, values: NDArray[Any], axis: VariableSchema) -> bool:
    with suppress(CorruptionError):
        check_limits([group], values, axis)
        return True
    return False


@define(eq=False)
class StatisticsBuilder:
    """Computes the statistics of a group while the group is written.

    Attributes
    ----------
    form
        The layout of the statistics.
    base
        The group that is replaced, and its statistics; None if there are none.
    dimension
        The partitioned dimension.
    deliveries
        The insertion times of the rows of the new group.
    """

    form: Form
    dimension: str
    deliveries: Deliveries
    base: tuple[GroupRead, Statistics] | None = None
    _checksums: list[int] = field(
        init=False, default=Factory(lambda self: [0] * len(self.form.chunks), takes_self=True)
    )
    _zones: dict[str, Zones] = field(factory=dict, init=False)
    _sampling: Sampled = field(default="unknown", init=False)

    def chunk(self, key: str, data: bytes | Pieces) -> None:
        """Add the checksum of an object, if it is a chunk."""
        entry = self.form.chunks.get(key)
        if entry is not None:
            self._checksums[entry[0]] = checksum(data, is_sealed=entry[1])

    def shared(self, keys: Iterable[str]) -> None:
        """Add the checksums of chunks that are shared with the base."""
        if self.base is None:
            return
        group, statistics = self.base
        before, after = Form.of_group(group, dimension=self.dimension).chunks, self.form.chunks
        for key in keys:
            if key in before and key in after:
                self._checksums[after[key][0]] = int(statistics.checksums[before[key][0]])

    def values(self, path: str, values: NDArray[Any], *, start: int = 0) -> None:
        """Add the bounds of values of the declared type, for the rows from `start` on."""
        variable = self.form.zoned.get(path)
        if variable is None or not len(values):
            return
        found = zones_of(values, variable, start=start)
        if path not in self._zones and len(found.known) == self.form.count:
            self._zones[path] = found
        else:
            self._unite(path, variable, found, start // ZONE)

    def axis(self, values: NDArray[Any]) -> None:
        """Add the sampling of the axis, from all of its values, of the declared type."""
        self._sampling = sampled(values, self.form)

    def kept(self, path: str) -> None:
        """Add the bounds of a variable that is kept from the base; bounds unknown there stay unknown."""
        variable = self.form.zoned.get(path)
        if variable is None:
            return
        known = self._base_zones(path, variable)
        self._zones[path] = known or unknown_zones(variable, self.form.count)
        if path == self.form.axis and known is not None and self.base is not None:
            self._sampling = self.base[1].sampling

    def kept_rows(self, path: str, runs: Iterable[range]) -> None:
        """Add the bounds of runs of rows that are kept from the base."""
        variable = self.form.zoned.get(path)
        if variable is None:
            return
        known = self._base_zones(path, variable)
        for run in runs:
            first, last = run.start // ZONE, -(-run.stop // ZONE)
            part = unknown_zones(variable, last - first) if known is None else _part(known, slice(first, last))
            self._unite(path, variable, part, first)

    def _unite(self, path: str, variable: VariableSchema, part: Zones, first: int) -> None:
        zones = self._zones.get(path) or _without_rows(variable, self.form.count)
        self._zones[path] = _united(zones, part, first)

    def _base_zones(self, path: str, variable: VariableSchema) -> Zones | None:
        if self.base is None:
            return None
        group, before = self.base
        if path in group.absent or group.schema.all_variables().get(path) != variable:
            return None
        return before.zones.get(path)

    def dump(self, owner: str) -> bytes:
        """Return the statistics as bytes, for an owner."""
        zones = {path: self._zones[path] for path in self.form.zoned if path in self._zones}
        checksums = np.array(self._checksums, np.uint32)
        return Statistics(
            owner=owner,
            zones=zones,
            checksums=checksums,
            sampling=self._sampling,
            deliveries=self.deliveries.to_json(),
        ).dump(self.form)


def sampled(values: NDArray[Any] | None, form: Form) -> Sampled:
    """Return the sampling of the axis, from all of its values, of the declared type."""
    if form.axis is None or values is None:
        return "unknown"
    found = Sampling.of(values, form.zoned[form.axis])
    return None if found is None else found.to_json()


def include(zones: Zones, part: Zones, first: int) -> bool:
    """Return whether the bounds of zones, from zone `first` on, include those of `part`; unknown bounds include all."""
    here = slice(first, first + len(part.known))
    lower, upper = zones.lower[here] <= part.lower, part.upper <= zones.upper[here]
    within = part.empty | ((lower & upper) & ~zones.empty[here])
    return bool((~zones.known[here] | (within & (zones.missing[here] | ~part.missing))).all())


_ARRAYS: Final = ("lower", "upper", "missing", "empty", "known")


def _part(zones: Zones, part: slice) -> Zones:
    return Zones(*(getattr(zones, name)[part] for name in _ARRAYS))


def _without_rows(variable: VariableSchema, count: int) -> Zones:
    """Return zones without rows: joined with other zones they change nothing."""
    yes, no = _flags(count)
    return Zones(*_empty_bounds(variable.dtype, count), no, yes, yes)


def _united(zones: Zones, part: Zones, first: int) -> Zones:
    """Return zones for the rows of both arguments: those from zone `first` on are joined with the zones of `part`."""
    here = slice(first, first + len(part.known))

    def joined(name: str, join: Any) -> NDArray[Any]:
        values: NDArray[Any] = getattr(zones, name).copy()
        values[here] = join(values[here], getattr(part, name))
        return values

    return Zones(
        joined("lower", np.minimum),
        joined("upper", np.maximum),
        joined("missing", np.logical_or),
        joined("empty", np.logical_and),
        joined("known", np.logical_and),
    )


def zones_in(groups: Iterable[tuple[GroupRead, Statistics | None]], variable: VariableSchema, path: str) -> Zones:
    """Return the bounds of one variable in each zone of several groups, concatenated."""
    if not variable.has_order:
        return Zones.unknown()
    each = [_zones_of_group(group, found, variable, path) for group, found in groups]
    if len(each) == 1:
        return each[0]
    return Zones(*(np.concatenate([getattr(zones, name) for zones in each]) for name in _ARRAYS))


def _zones_of_group(group: GroupRead, found: Statistics | None, variable: VariableSchema, path: str) -> Zones:
    count = -(-group.rows // ZONE)
    if path in group.absent or path not in group.schema.all_variables():
        return all_missing(variable, count) if variable.fill_value is not None else unknown_zones(variable, count)
    if found is None or path not in found.zones:
        return unknown_zones(variable, count)
    return found.zones[path]
