"""What is kept of a partition beside its chunks: bounds of zones of rows, and the checksum of every chunk.

One object for each partition, below the directory of one of its arrays, where no reader of Zarr looks. It is written,
published, copied and removed with the partition, whose name and stamp it carries: any other is of an older
generation, and ignored, as is one that is damaged. Without it a query reads more, and answers the same.
"""

import json
import struct
import sys
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final, Literal

import google_crc32c
import numpy as np
from attrs import Factory, define, field, frozen
from numpy.typing import NDArray

from zcollection.conditions.zones import Zones
from zcollection.contracts.objects import Pieces, Read
from zcollection.engine.deliveries import Deliveries
from zcollection.engine.layout import ArrayLayout, Identity
from zcollection.engine.read import GroupRead
from zcollection.engine.sampling import Sampling
from zcollection.engine.work import Work, fetch
from zcollection.model.geography import is_latitude, is_longitude
from zcollection.model.schema import DatasetSchema, VariableSchema

ZONE: Final = 256
"""Rows of a zone: two hundred kilometres of a satellite's track, where a chunk is half an orbit."""

STATISTICS: Final = "_statistics"
"""Name of the object, which is that of no array, group or chunk."""

_MAGIC: Final = b"zcstats1"
_HEAD: Final = struct.Struct("<8sHII")
"""What the object begins with: its format, the lengths of owner and description, and the CRC32C of all that follows."""
_MISSING, _EMPTY, _KNOWN = 1, 2, 4
Sampled = Mapping[str, Any] | Literal["unknown"] | None
"""How the axis is sampled: as JSON, None where that takes too many runs, and "unknown" where nobody looked."""

_NAT: Final = np.iinfo(np.int64).min


@frozen(eq=False)
class Form:
    """What the statistics of the partitions of one schema and length have in common.

    Attributes
    ----------
    key
        Theirs within the group: below the directory of the axis or, where that is no variable, of the first variable by its
        path. None for a group that is no partition.
    axis
        The axis, where it is a variable whose values have an order.
    zoned
        The variables of which bounds are kept, by path: the axis, latitudes, longitudes, and those that are declared so.
    count
        Number of zones.
    chunks
        By key, the place of each chunk among the checksums, arrays in the order of their documents, and whether the bytes of
        the chunk end with their checksum.
    """

    key: str | None
    axis: str | None
    zoned: Mapping[str, VariableSchema]
    count: int
    chunks: Mapping[str, tuple[int, bool]]

    @cached_property
    def whole_text(self) -> bytes:
        """The description of statistics that have bounds of all these variables."""
        return _described({path: _stored_dtype(variable.dtype) for path, variable in self.zoned.items()}, self.count)

    @classmethod
    def of(cls, schema: DatasetSchema, axis: str | None, *, dimension: str, rows: int) -> "Form":
        """Return the form of a partition; of one schema object each is made once."""
        return _form(Identity(schema), axis, dimension, rows)

    @classmethod
    def of_group(cls, group: GroupRead, *, dimension: str) -> "Form":
        """Return the form of a group that there is."""
        return cls.of(group.schema, group.axis, dimension=dimension, rows=group.rows)


@lru_cache(maxsize=4096)
def _form(identity: Identity, axis: str | None, dimension: str, rows: int) -> Form:
    schema = identity.schema
    # What is stored once for the whole collection has no rows.
    paths = [path for path in schema.all_variables() if rows and schema.spans(path, dimension)]
    host = axis if axis in paths else min(paths, default=None)
    chunks: dict[str, tuple[int, bool]] = {}
    for layout in ArrayLayout.several(schema, paths, dimension=dimension, rows=rows):
        is_sealed = layout.codecs[-1]["name"] == "crc32c"
        for key, _ in layout.chunk_places:
            chunks[key] = len(chunks), is_sealed
    zoned = {path: schema.get_variable(path) for path in paths if _is_zoned(schema.get_variable(path), path, axis)}
    return Form(
        key=None if host is None else f"{host}/{STATISTICS}",
        axis=axis if axis in zoned else None,
        zoned=zoned,
        count=-(-rows // ZONE),
        chunks=chunks,
    )


def _is_zoned(variable: VariableSchema, path: str, axis: str | None) -> bool:
    is_wanted = path == axis or variable.statistics or is_latitude(variable) or is_longitude(variable)
    return is_wanted and variable.has_order


def checksum(data: bytes | Pieces, *, is_sealed: bool) -> int:
    """Return what is kept of the bytes of a chunk: the CRC32C at their end, or of all of them; 0 means that none is known."""
    if is_sealed:
        return int.from_bytes((data.parts[-1] if isinstance(data, Pieces) else data)[-4:], "little")
    found: int = google_crc32c.value(bytes(data))
    return found


def zones_of(values: NDArray[Any], variable: VariableSchema, *, start: int = 0) -> Zones:
    """Return the bounds of each zone of some rows.

    Parameters
    ----------
    values
        Of the declared type, shape (rows,), at least one.
    variable
        Its schema, which says what is missing.
    start
        Number of the first row in the partition: zones begin at multiples of `ZONE`.
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
    """Return which values are the fill value; None where none is, or it is NaN or NaT."""
    fill = variable.fill_value
    if fill is None or fill != fill:  # noqa: PLR0124 - as above
        return None
    found = values == fill
    return found if found.any() else None


def _has_missing(lower: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Return whether NaN or NaT is among the smallest numbers: the one comes through, the other is the smallest of all."""
    if dtype.kind == "f":
        return bool((lower != lower).any())  # noqa: PLR0124 - as above
    return dtype.kind in "mM" and bool((lower == _NAT).any())


@lru_cache(maxsize=256)
def _edges(offset: int, rows: int) -> NDArray[np.intp]:
    """Return where the zones of so many rows begin, of which the first is that many rows behind the beginning of its zone."""
    edges = np.arange(-offset, rows, ZONE)
    edges[0] = 0
    edges.flags.writeable = False
    return edges


@lru_cache(maxsize=256)
def _flags(count: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return as many yeses, and noes; nobody may change them."""
    yes, no = np.ones(count, np.bool_), np.zeros(count, np.bool_)
    yes.flags.writeable = no.flags.writeable = False
    return yes, no


def _counted(values: NDArray[Any]) -> NDArray[Any]:
    """Return values as numbers, in the same memory."""
    if values.dtype.kind in "mM":
        return values.view(np.int64)
    return values.view(np.uint8) if values.dtype.kind == "b" else values


def _declared(numbers: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return numbers.view(dtype) if dtype.kind in "mMb" else numbers.astype(dtype, copy=False)


def _limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Return the smallest and the largest number that a value may be."""
    if dtype.kind == "f":
        return dtype.type(-np.inf), dtype.type(np.inf)
    limits = np.iinfo(_counted(np.empty(0, dtype)).dtype)
    return -limits.max if dtype.kind in "mM" else limits.min, limits.max  # the smallest int64 is NaT


def nothing_known(variable: VariableSchema, count: int) -> Zones:
    """Return zones of which nothing is known."""
    yes, no = _flags(count)
    return Zones(*_of_nothing(variable.dtype, count), yes, no, no)


def all_missing(variable: VariableSchema, count: int) -> Zones:
    """Return zones all of whose values are missing."""
    yes, _ = _flags(count)
    return Zones(*_of_nothing(variable.dtype, count), yes, yes, yes)


def _of_nothing(dtype: np.dtype[Any], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return bounds that say nothing, and that those of any values are wider than."""
    smallest, largest = _limits(dtype)
    numbers = _counted(np.empty(0, dtype)).dtype
    return _declared(np.full(count, largest, numbers), dtype), _declared(np.full(count, smallest, numbers), dtype)


@frozen(kw_only=True)
class Statistics:
    """What an object of statistics says.

    Attributes
    ----------
    owner
        The partition that it is of, and its generation.
    zones
        Bounds by path.
    checksums
        uint32, of each chunk in the order of the form; 0 where none is known.
    sampling
        How the axis is sampled.
    deliveries
        When its rows were brought, as JSON; None where nobody knows.
    """

    owner: str
    zones: Mapping[str, Zones]
    checksums: NDArray[np.uint32] = field(eq=False)
    sampling: Sampled = "unknown"
    deliveries: Mapping[str, Any] | None = None

    def is_complete(self, names: Iterable[str], form: Form, absent: Collection[str]) -> bool:
        """Return whether bounds are known of all zones of some variables, and the checksum of every chunk that ends with it.

        Absent variables have no chunks. How the axis is sampled is known too. When rows were brought no values tell.
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
        """Return the object; `load` is the inverse."""
        arrays = [self.checksums.astype("<u4", copy=False).tobytes()]
        for zones in self.zones.values():
            arrays += [_stored_bounds(zones), _stored_flags(zones)]
        text = form.whole_text
        if self.zones.keys() != form.zoned.keys():
            text = _described(
                {path: _stored_dtype(zones.lower.dtype) for path, zones in self.zones.items()}, form.count
            )
        if self._more:
            text = text[:-1] + b"," + json.dumps(self._more, separators=(",", ":")).encode()[1:]
        return _sealed(self.owner.encode(), text, arrays)

    @property
    def _more(self) -> dict[str, Any]:
        """What the description says besides bounds."""
        axis = {} if self.sampling == "unknown" else {"axis": self.sampling}
        return axis if self.deliveries is None else {**axis, "deliveries": self.deliveries}

    @classmethod
    def load(
        cls, data: bytes | None, group: GroupRead, *, dimension: str, only: Collection[str] | None = None
    ) -> "Statistics | None":
        """Return what an object says of a group; None where it is none of ours, damaged, or of another generation.

        Parameters
        ----------
        data
            The object; None where there is none.
        group, dimension
            The group, and the partitioned dimension.
        only
            The variables whose bounds are wanted; None for all.
        """
        found = _opened(data)
        owner = owner_of(group.path, group.stamp or "")
        if found is None or found[0] != owner.encode():
            return None
        _, text, body = found
        form, variables = Form.of_group(group, dimension=dimension), group.schema.all_variables()
        try:
            description = _understood(text, form.count)
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
    """Return the description of an object: for what it has bounds, of which type they are stored, and of how many zones."""
    names = {path: dtype.str for path, dtype in zones.items()}
    return json.dumps({"zones": names, "count": count, "rows": ZONE}, separators=(",", ":")).encode()


@lru_cache(maxsize=256)
def _understood(text: bytes, count: int) -> dict[str, Any]:
    """Return a description.

    Raises
    ------
    ValueError
        It is of another number of zones, or of zones of another length.
    """
    found: dict[str, Any] = json.loads(text)
    if (found["count"], found["rows"]) != (count, ZONE):
        message = f"{found['count']} zones of {found['rows']} rows instead of {count} of {ZONE}"
        raise ValueError(message)
    return found


def owner_of(path: str, stamp: str) -> str:
    """Return what tells a partition from any other one, and from each of its other generations."""
    return f"{stamp} {path}"


def _sealed(owner: bytes, text: bytes, arrays: Iterable[bytes]) -> bytes:
    body = b"".join([owner, text, *arrays])
    return _HEAD.pack(_MAGIC, len(owner), len(text), google_crc32c.value(body)) + body


def _opened(data: bytes | None) -> tuple[bytes, bytes, bytes] | None:
    """Return the owner, the description and the numbers of an object; None where it is none of ours, or damaged."""
    if data is None or len(data) < _HEAD.size:
        return None
    magic, owner, text, expected = _HEAD.unpack_from(data)
    body = data[_HEAD.size :]
    if magic != _MAGIC or google_crc32c.value(body) != expected:
        return None
    return body[:owner], body[owner : owner + text], body[owner + text :]


def given_to(data: bytes, before: str, after: str) -> bytes | None:
    """Return the statistics of one owner as those of another, such as a copy; None where they are not its own."""
    found = _opened(data)
    if found is None or found[0] != before.encode():
        return None
    return _sealed(after.encode(), found[1], [found[2]])


def _stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of stored bounds: times and booleans are stored as numbers."""
    return _counted(np.empty(0, dtype)).dtype.newbyteorder("<")


def _stored_bounds(zones: Zones) -> bytes:
    bounds = (zones.lower, zones.upper)
    if sys.byteorder == "big":
        bounds = (bounds[0].byteswap(), bounds[1].byteswap())
    return bounds[0].tobytes() + bounds[1].tobytes()


def _stored_flags(zones: Zones) -> bytes:
    if zones.known is _flags(len(zones.known))[0]:  # of all of them nothing is missing
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
    """Return the statistics of a group, as `Statistics.load`; None where there are none that can be believed."""
    key = Form.of_group(group, dimension=dimension).key
    if key is None:
        return None
    (data,) = yield from fetch([Read(group.prefix + key)])
    return Statistics.load(data, group, dimension=dimension, only=only)


@define(eq=False)
class Gathering:
    """The statistics of a group that is being written, gathered from what passes by.

    Attributes
    ----------
    form
        What they are of.
    base
        The group that it takes the place of and its statistics, where there are such.
    dimension
        The partitioned dimension.
    deliveries
        When its rows were brought.
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
        """Take the checksum of an object, if it is a chunk."""
        place = self.form.chunks.get(key)
        if place is not None:
            self._checksums[place[0]] = checksum(data, is_sealed=place[1])

    def shared(self, keys: Iterable[str]) -> None:
        """Take the checksums of chunks that are those of the base."""
        if self.base is None:
            return
        group, before = self.base
        there, here = Form.of_group(group, dimension=self.dimension).chunks, self.form.chunks
        for key in keys:
            if key in there and key in here:
                self._checksums[here[key][0]] = int(before.checksums[there[key][0]])

    def values(self, path: str, values: NDArray[Any], *, start: int = 0) -> None:
        """Take the bounds of values of the declared type, of rows from `start` on."""
        variable = self.form.zoned.get(path)
        if variable is None or not len(values):
            return
        found = zones_of(values, variable, start=start)
        if path not in self._zones and len(found.known) == self.form.count:
            self._zones[path] = found
        else:
            self._unite(path, variable, found, start // ZONE)

    def axis(self, values: NDArray[Any]) -> None:
        """Take how the axis is sampled, from all of its values, of the declared type."""
        self._sampling = sampled(values, self.form)

    def kept(self, path: str) -> None:
        """Take the bounds of a variable whose rows are those of the base; of what nobody knows they say nothing."""
        variable = self.form.zoned.get(path)
        if variable is None:
            return
        known = self._base_zones(path, variable)
        self._zones[path] = known or nothing_known(variable, self.form.count)
        if path == self.form.axis and known is not None and self.base is not None:
            self._sampling = self.base[1].sampling

    def kept_rows(self, path: str, runs: Iterable[range]) -> None:
        """Take the bounds of runs of rows that are those of the base."""
        variable = self.form.zoned.get(path)
        if variable is None:
            return
        known = self._base_zones(path, variable)
        for run in runs:
            first, last = run.start // ZONE, -(-run.stop // ZONE)
            part = nothing_known(variable, last - first) if known is None else _part(known, slice(first, last))
            self._unite(path, variable, part, first)

    def _unite(self, path: str, variable: VariableSchema, part: Zones, first: int) -> None:
        whole = self._zones.get(path) or _without_rows(variable, self.form.count)
        self._zones[path] = _united(whole, part, first)

    def _base_zones(self, path: str, variable: VariableSchema) -> Zones | None:
        if self.base is None:
            return None
        group, before = self.base
        if path in group.absent or group.schema.all_variables().get(path) != variable:
            return None
        return before.zones.get(path)

    def dump(self, owner: str) -> bytes:
        """Return the object."""
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
    """Return how the axis is sampled, from all of its values, of the declared type."""
    if form.axis is None or values is None:
        return "unknown"
    found = Sampling.of(values, form.zoned[form.axis])
    return None if found is None else found.to_json()


def include(zones: Zones, part: Zones, first: int) -> bool:
    """Return whether the bounds of zones, from one on, hold for those of others."""
    here = slice(first, first + len(part.known))
    lower, upper = zones.lower[here] <= part.lower, part.upper <= zones.upper[here]
    within = part.empty | ((lower & upper) & ~zones.empty[here])
    return bool((~zones.known[here] | (within & (zones.missing[here] | ~part.missing))).all())


_ARRAYS: Final = ("lower", "upper", "missing", "empty", "known")


def _part(zones: Zones, part: slice) -> Zones:
    return Zones(*(getattr(zones, name)[part] for name in _ARRAYS))


def _without_rows(variable: VariableSchema, count: int) -> Zones:
    """Return zones without rows, which add nothing to others."""
    yes, no = _flags(count)
    return Zones(*_of_nothing(variable.dtype, count), no, yes, yes)


def _united(whole: Zones, part: Zones, first: int) -> Zones:
    """Return zones, with those from one on joined with others: of the rows of both."""
    here = slice(first, first + len(part.known))

    def joined(name: str, join: Any) -> NDArray[Any]:
        values: NDArray[Any] = getattr(whole, name).copy()
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
    """Return the bounds of one variable in each zone of some groups, one after the other."""
    if not variable.has_order:
        return Zones.unknown()
    each = [_zones_of_group(group, found, variable, path) for group, found in groups]
    if len(each) == 1:
        return each[0]
    return Zones(*(np.concatenate([getattr(zones, name) for zones in each]) for name in _ARRAYS))


def _zones_of_group(group: GroupRead, found: Statistics | None, variable: VariableSchema, path: str) -> Zones:
    count = -(-group.rows // ZONE)
    if path in group.absent or path not in group.schema.all_variables():
        return all_missing(variable, count) if variable.fill_value is not None else nothing_known(variable, count)
    if found is None or path not in found.zones:
        return nothing_known(variable, count)
    return found.zones[path]
