"""The golden collections: what each release writes, and what every later one must read.

A case is never changed, for the archives of older releases hold what it says; new features are new cases.
"""

from collections.abc import Callable

import differential
import numpy as np
import pytest
import segmenting
from attrs import evolve, field, frozen

import zcollection as zc

DAY = 86_400 * 10**9

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
    *("datetime64[D]", "datetime64[ns]", "timedelta64[s]", "S5", "U3", "string"),
)
PROFILES = ("balanced", "cloud-balanced", "cloud-cold", "local-fast", "none")
CODECS = {
    **{name: [*zc.codecs.profile(name, checksum=False)] for name in PROFILES},
    "checksum": [*zc.codecs.profile("balanced", checksum=True)],
    "gzip": [{"name": "gzip", "configuration": {"level": 1}}],
    "zstd": [{"name": "zstd", "configuration": {"level": 3, "checksum": True}}],
}


@frozen(kw_only=True)
class Case:
    """A collection: how it is made, and the rows that it must hold, in the order of a query.

    Attributes
    ----------
    schema, axis, partitioning, options
        As `create_collection` takes them; the partitioning as a function, so that no plugin is needed to list cases.
    inserts
        Datasets, inserted one after the other.
    merge
        With which strategy.
    later_schema
        The current schema from the last insert on: other chunks and codecs, and one more variable.
    changes
        What is done afterwards, one after the other.
    older
        The variables of a query of older versions that are kept, by path, by version or tag.
    segments
        Partitions of a segment of its catalog, which then lies in such from the first partition on.
    expected
        The variables of a query of all, by path.
    """

    schema: Callable[[], object]
    partitioning: Callable[[], object]
    inserts: tuple[dict, ...]
    expected: dict
    axis: str = "time"
    merge: str | None = None
    options: dict = field(factory=dict)
    later_schema: Callable[[], zc.DatasetSchema] | None = None
    changes: tuple[Callable[[zc.Collection], object], ...] = ()
    older: dict = field(factory=dict)
    segments: int | None = None

    def write(self, url):
        """Write the collection, and return it."""
        with pytest.MonkeyPatch.context() as patch:
            if self.segments is not None:
                segmenting.patch(patch, size=self.segments)
            return self._write(url)

    def _write(self, url):
        if self.later_schema is not None:
            return self._write_evolved(url)
        collection = zc.create_collection(
            url, schema=self.schema(), axis=self.axis, partitioning=self.partitioning(), **self.options
        )
        for rows in self.inserts:
            collection.insert(rows, merge=self.merge, missing="fill")
        for change in self.changes:
            change(collection)
        return collection

    def _write_evolved(self, url):
        collection = evolve(self, later_schema=None, inserts=self.inserts[:-1]).write(url)
        later = differential.with_layout(collection, self.later_schema())
        later.insert(self.inserts[-1], merge=self.merge, missing="fill")
        return later


PLAIN = [*zc.codecs.profile("balanced", checksum=False)]
"""What the default was until release 2026.12.0."""


def one_dimensional(**dtypes):
    schema = zc.Schema().with_dimension("time", chunks=3)
    for name, dtype in dtypes.items():
        schema = schema.with_variable(name, dtype=dtype, dimensions=("time",), codecs=PLAIN)
    return schema


def by_date(resolution, times):
    """A collection of int64 nanoseconds since 1970, sorted within each period."""
    rows = {"time": times, "ssh": np.arange(times.size) / 4}
    return Case(
        schema=lambda: one_dimensional(time="int64", ssh="float32"),
        partitioning=lambda: zc.partitioning.Date(("time",), resolution=resolution),
        inserts=(rows,),
        expected=rows,
    )


def by_numbers(partitioning, order):
    cycle, number = np.array([2, 2, 10, 2, -1]), np.array([7, 31, 1, 8, 5])
    rows = {"time": np.arange(5) * 1.5, "cycle": cycle, "pass": number}
    return Case(
        schema=lambda: one_dimensional(time="float64", cycle="int16", **{"pass": "int32"}),
        partitioning=partitioning,
        inserts=(rows,),
        expected={name: values[order] for name, values in rows.items()},
    )


def values_of(dtype, count=5):
    numbers = np.arange(count)
    if dtype == "string":
        return np.array(["", "sea", "é", "surface height", "面"], dtype=np.dtypes.StringDType())[numbers]
    kind = np.dtype(dtype).kind
    if kind in "SU":
        return np.array(["", "a", "bc", "def", "x"]).astype(dtype)[numbers]
    if kind == "b":
        return numbers % 2 == 0
    if kind in "mM":
        return (numbers * 1000 - 2000).astype("int64").astype(dtype)
    return numbers.astype(dtype) * (1 + 2j if kind == "c" else 1)


def of_all_types():
    rows = {"time": np.arange(5)} | {f"v{number}": values_of(dtype) for number, dtype in enumerate(DTYPES)}
    return Case(
        schema=lambda: one_dimensional(time="int64", **{f"v{number}": dtype for number, dtype in enumerate(DTYPES)}),
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="Y"),
        inserts=(rows,),
        expected=rows,
    )


def of_all_codecs():
    def schema():
        made = one_dimensional(time="int64")
        for number, codecs in enumerate(CODECS.values()):
            made = made.with_variable(f"v{number}", dtype="float64", dimensions=("time",), codecs=codecs)
        return made

    rows = {"time": np.arange(8)} | {f"v{number}": np.arange(8) * (number + 0.5) for number in range(len(CODECS))}
    return Case(
        schema=schema,
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="Y"),
        inserts=(rows,),
        expected=rows,
    )


def nested_schema():
    return (
        zc.Schema()
        .with_attribute("title", "tides")
        .with_dimension("num_lines", chunks=2)
        .with_dimension("x_ac", size=3, chunks=2)
        .with_variable(
            "time", dtype="int64", dimensions=("num_lines",), attrs={"units": "seconds since 2000-01-01"}, codecs=PLAIN
        )
        .with_variable(
            "ssh", dtype="float32", dimensions=("num_lines", "x_ac"), fill_value=np.float32("nan"), codecs=PLAIN
        )
        .with_variable("angle", dtype="float64", dimensions=("x_ac",), codecs=PLAIN)
        .with_group("data_01/ku", attrs={"band": "Ku"})
        .with_dimension("range", size=2, chunks=1, group="data_01/ku")
        .with_variable(
            "power", dtype="int16", dimensions=("range", "num_lines"), group="data_01/ku", fill_value=-1, codecs=PLAIN
        )
    )


def nested(**options):
    """Groups, an immutable variable, a variable absent from one partition, rows merged into another."""
    first = {
        "time": np.array([0, 1, 86_400]),
        "ssh": np.arange(9).reshape(3, 3) / 2,
        "angle": np.array([-1.0, 0, 1]),
    }
    second = {
        "time": np.array([172_800, 259_200]),
        "ssh": np.full((2, 3), 7.5),
        "data_01/ku/power": np.array([[1, 2], [3, 4]]),
    }
    third = {
        "time": np.array([172_800, 172_801]),
        "ssh": np.zeros((2, 3)),
        "data_01/ku/power": np.array([[10, 20], [30, 40]]),
    }
    return Case(
        schema=nested_schema,
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="D"),
        inserts=(first, second, third),
        merge="upsert",
        expected={
            "time": np.array([0, 1, 86_400, 172_800, 172_801, 259_200]),
            "ssh": np.concatenate([first["ssh"], third["ssh"], second["ssh"][1:]]),
            "angle": first["angle"],
            "data_01/ku/power": np.array([[-1, -1, -1, 10, 20, 2], [-1, -1, -1, 30, 40, 4]]),
        },
        options=options,
    )


def sharded():
    """Chunks in shards, written through zarr-python."""

    def schema():
        return (
            zc.Schema()
            .with_dimension("time", chunks=2, shards=4)
            .with_variable("time", dtype="int64", dimensions=("time",), codecs=PLAIN)
            .with_variable("flag", dtype="string", dimensions=("time",), fill_value="none", codecs=PLAIN)
        )

    names = np.array(["a", "", "c", "dd", "e", "f", "g"], dtype=np.dtypes.StringDType())
    rows = {"time": np.arange(7), "flag": names}
    return Case(
        schema=schema,
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="Y"),
        inserts=(rows,),
        expected=rows,
    )


def evolved():
    """Partitions written with two layouts: other chunks and codecs, and a variable that came later."""

    def schema(chunks, codecs, *, extra):
        made = (
            zc.Schema()
            .with_dimension("time", chunks=chunks)
            .with_variable(
                "time",
                dtype="int64",
                dimensions=("time",),
                attrs={"units": "nanoseconds since 1970-01-01"},
                codecs=PLAIN,
            )
            .with_variable("ssh", dtype="float64", dimensions=("time",), codecs=codecs)
        )
        return (
            made.with_variable("flag", dtype="int8", dimensions=("time",), fill_value=-1, codecs=PLAIN)
            if extra
            else made
        )

    first = {"time": np.array([0, 1, 2, DAY]), "ssh": np.array([0.5, 1, 2, 3])}
    last = {
        "time": np.array([DAY, 2 * DAY, 2 * DAY + 1]),
        "ssh": np.array([30.0, 4, 5]),
        "flag": np.array([7, 8, 9]),
    }
    return Case(
        schema=lambda: schema(2, PLAIN, extra=False),
        later_schema=lambda: schema(3, CODECS["none"], extra=True).build(),
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="D"),
        inserts=(first, last),
        merge=None,
        expected={
            "time": np.array([0, 1, 2, DAY, 2 * DAY, 2 * DAY + 1]),
            "ssh": np.array([0.5, 1, 2, 30, 4, 5]),
            "flag": np.array([-1, -1, -1, 7, 8, 9]),
        },
    )


def by_values():
    """Keys of texts, numbers and booleans, of every form that a path gives them."""
    schema = zc.Schema().with_dimension("row", chunks=2)
    for name, dtype in (
        ("time", "int64"),
        ("platform", "string"),
        ("code", "S3"),
        ("track", "int16"),
        ("ascending", "bool"),
    ):
        schema = schema.with_variable(name, dtype=dtype, dimensions=("row",))
    platforms = ["", "Jason-3/F", "Malmo\u0308", "Malmö", "S3A", "S3A", "S3A", "end."]
    rows = {
        "time": np.arange(8),
        "platform": np.array(platforms, dtype=np.dtypes.StringDType()),
        "code": np.array([b"", b"a b", b"%", b"b", b"c", b"c", b"c", b"\xc3\xa9"]),
        "track": np.array([1, -5, 0, 7, 2, 2, 10, 3]),
        "ascending": np.array([True, False, True, True, False, True, True, False]),
    }
    return Case(
        schema=lambda: schema,
        partitioning=lambda: zc.partitioning.Values(("platform", "code", "track", "ascending")),
        inserts=({name: values[[4, 0, 7, 2, 6, 1, 3, 5]] for name, values in rows.items()},),
        expected=rows,
    )


def with_meaning():
    """Packed variables, coordinates, a calendar without leap days, and checksums of chunks."""
    noleap = {"units": "days since 2000-02-27", "calendar": "noleap"}
    rows = {
        "time": np.array([0, 1, 2, 400]),
        "latitude": np.array([-1.5, 0, 1.5, np.nan]),
        "ssh": np.array([[0.25, np.nan], [-0.5, 8.0], [0.0, 1.25], [2.0, 3.0]]),
        "depth": np.array([np.nan, 1, 2, 3], dtype="f4"),
        "x": np.array([10, 20]),
    }

    def schema():
        return (
            zc.Schema()
            .with_dimension("time", chunks=2)
            .with_dimension("x", size=2)
            .with_variable("time", dtype="int32", dimensions=("time",), attrs=noleap)
            .with_variable("x", dtype="int16", dimensions=("x",))
            .with_variable("latitude", dtype="float64", dimensions=("time",), fill_value=np.nan, coordinate=True)
            .with_variable(
                "ssh",
                dtype="float64",
                dimensions=("time", "x"),
                packing=zc.Packing("int16", scale_factor=0.25, add_offset=1.0, fill_value=-32768),
            )
            .with_variable(
                "depth", dtype="float32", dimensions=("time",), packing=zc.Packing("float32", fill_value=1e20)
            )
        )

    return Case(
        schema=schema,
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="M"),
        inserts=(rows,),
        expected=rows,
    )


def with_statistics():
    """Bounds of zones of rows: of the axis, of a latitude, and of a flag that is declared so, some of them missing."""
    at = np.arange(700)
    rows = {
        "time": (at * (DAY // 300)).astype("M8[ns]"),
        "latitude": np.where(at % 97 == 5, np.nan, at / 10 - 35),
        "flag": np.where(at % 50 == 3, -1, at // 260).astype("i1"),
        "depth": (at % 11).astype("f4"),
    }

    def schema():
        north = {"units": "degrees_north"}
        return (
            zc.Schema()
            .with_dimension("time", chunks=100)
            .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
            .with_variable("latitude", dtype="float64", dimensions=("time",), fill_value=np.nan, attrs=north)
            .with_variable("flag", dtype="int8", dimensions=("time",), fill_value=-1, statistics=True)
            .with_variable("depth", dtype="float32", dimensions=("time",))
        )

    return Case(
        schema=schema,
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="D"),
        inserts=(rows,),
        expected=rows,
    )


def with_older_versions():
    """Older versions that are kept: a partition that was replaced, one that was dropped, a variable that came later, a tag."""
    first = {"time": np.arange(6) * (DAY // 2), "ssh": np.arange(6) / 4}
    again = {"time": first["time"][:2], "ssh": np.array([-1.0, -2.0])}
    replaced = {"time": first["time"], "ssh": np.concatenate([again["ssh"], first["ssh"][2:]])}
    flag = zc.VariableSchema("flag", dtype=np.dtype("int8"), dimensions=("time",), fill_value=-1)
    return Case(
        schema=lambda: one_dimensional(time="int64", ssh="float32"),
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="D"),
        inserts=(first, again),
        changes=(
            lambda collection: collection.tag("replaced"),
            lambda collection: collection.add_variable(flag),
            lambda collection: collection.drop_partitions(filters="day == 3"),
        ),
        options={"keep": 9},
        older={1: first, "replaced": replaced, 4: replaced | {"flag": np.full(6, -1)}},
        expected={name: values[:4] for name, values in replaced.items()} | {"flag": np.full(4, -1)},
    )


DAYS = np.array([-40 * DAY, -DAY, 0, DAY + 5, 31 * DAY, 400 * DAY])
"""Before and after 1970, in five months."""


def in_segments():
    """A catalog in many segments, some of which have taken the place of others."""
    times = np.arange(60) * DAY
    return Case(
        schema=lambda: one_dimensional(time="int64"),
        partitioning=lambda: zc.partitioning.Date(("time",), resolution="D"),
        inserts=({"time": times[::2]}, *({"time": times[at : at + 1]} for at in range(1, 60, 2))),
        expected={"time": times},
        segments=8,
    )


CASES = {
    **{f"date-{resolution}": by_date(resolution, DAYS) for resolution in "YMDhms"},
    "sequence": by_numbers(lambda: zc.partitioning.Sequence(("cycle", "pass")), [4, 0, 3, 1, 2]),
    "grouped-sequence": by_numbers(
        lambda: zc.partitioning.GroupedSequence(("cycle", "pass"), size=10, start=1), [4, 0, 3, 1, 2]
    ),
    "values": by_values(),
    "types": of_all_types(),
    "codecs": of_all_codecs(),
    "nested": nested(),
    "without-catalog": nested(catalog_enabled=False),
    "sharded": sharded(),
    "evolved": evolved(),
    "meaning": with_meaning(),
    "statistics": with_statistics(),
    "older-versions": with_older_versions(),
    "segments": in_segments(),
}
