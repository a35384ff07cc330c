"""The direct path, zarr-python in its place, and readers that know nothing of us find the same values, bit for bit.

The oracle is the arrays that were inserted, or that zarr-python wrote: of every type with every codec, in chunks that
are whole, cut off, longer than the array, and nothing but fill. Then the same of collections whose layout has changed.
"""

import uuid

import differential
import numpy as np
import pytest
import samples
from effort import every_value, examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.engine import direct, fallback
from zcollection.engine.layout import ArrayLayout, stored_values
from zcollection.model.dtypes import default_fill

CHUNK = {"row": 4, "x": 2}
WIDTH = 3
SHORT, LONG = "sign=plus/quotient=0", "sign=plus/quotient=1"
LENGTHS = {
    SHORT: 3,  # shorter than a chunk
    LONG: 10,  # two chunks and a part of one
}
LONGEST = max(LENGTHS.values())
IMMUTABLE = "_immutable"
# It decodes with zarr-python, which reads every codec in a test of its own.
READ_WITH_XARRAY = ("balanced", "cloud-cold", "none", *differential.FALLBACK)


def schema_of(codecs):
    """Every type, with every number of dimensions, spanning the partitions and not; every other one has a fill value."""
    schema = (
        zc.Schema()
        .with_dimension("row", chunks=CHUNK["row"], shards=8 if codecs == "sharded" else None)
        .with_dimension("x", size=WIDTH, chunks=CHUNK["x"])
        .with_variable("time", dtype="int64", dimensions=("row",))
    )
    shapes = [("row",), ("row", "x"), ()] if codecs in differential.DIRECT else [("row",), ("row", "x")]
    for number, dtype in enumerate(filter(lambda dtype: differential.supports(dtype, codecs), differential.DTYPES)):
        for at, dimensions in enumerate(shapes):
            schema = schema.with_variable(
                "-".join([dtype.replace("[", "_").replace("]", ""), *dimensions]),
                dtype=dtype,
                dimensions=dimensions,
                fill_value=differential.fill_of(dtype) if (number + at) % 2 else None,
                codecs=differential.codecs_of(codecs, len(dimensions)),
            )
    return schema.build()


def arrays_of(schema, rows, *, partitioned, seed):
    """Return values of any bits, the first chunk of every array of more than a chunk nothing but fill."""
    rng = np.random.default_rng(seed)
    sizes = {"row": rows, "x": WIDTH}
    arrays = {}
    for path, variable in schema.all_variables().items():
        if path != "time" and ("row" in variable.dimensions) is partitioned:
            values = differential.values_of(rng, variable, tuple(sizes[name] for name in variable.dimensions))
            fill = default_fill(variable.dtype) if variable.fill_value is None else variable.fill_value
            if rows > CHUNK["row"]:
                values[tuple(slice(CHUNK[name]) for name in variable.dimensions)] = fill
            arrays[path] = values
    return arrays


@pytest.fixture(scope="module", params=differential.CODECS)
def codecs(request):
    return request.param


@pytest.fixture(scope="module")
def written(codecs, tmp_path_factory):
    """A collection on disk, and the arrays of each of its groups."""
    schema = schema_of(codecs)
    collection = samples.create(tmp_path_factory.mktemp("written") / "col", divisor=100, schema=schema)
    groups = {IMMUTABLE: arrays_of(schema, 0, partitioned=False, seed=99)}
    for at, (place, rows) in enumerate(LENGTHS.items()):
        groups[place] = {"time": np.arange(rows) + 100 * at} | arrays_of(schema, rows, partitioned=True, seed=at)
    groups = {place: arrays for place, arrays in groups.items() if arrays}  # nothing immutable is no group
    collection.insert(joined(schema, groups))
    return collection, groups


def joined(schema, groups):
    """Return the arrays that a query of all groups finds."""
    places = [place for place in groups if place != IMMUTABLE]
    partitioned = {
        path: np.concatenate([groups[place][path] for place in places], axis=variable.dimensions.index("row"))
        for path, variable in schema.all_variables().items()
        if "row" in variable.dimensions
    }
    return partitioned | groups.get(IMMUTABLE, {})


def readable_by_tensorstore(schema, path):
    return schema.get_variable(path).dtype.kind not in differential.NOT_IN_TENSORSTORE


def test_the_direct_path_takes_all_but_text_of_any_length(written, codecs):
    schema = written[0].schema
    for path, variable in schema.all_variables().items():
        layout = ArrayLayout.of(schema, path, dimension="row", rows=10)
        if codecs in differential.DIRECT:
            assert direct.supports(layout) is (variable.dtype.kind != "T"), path
        elif path != "time" and (codecs != "sharded" or "row" in variable.dimensions):
            assert not direct.supports(layout), path


@pytest.mark.parametrize("codecs", differential.SAME_BYTES, scope="module", indirect=True)
def test_the_direct_path_writes_the_bytes_of_zarr_python(written, codecs):
    collection, groups = written
    for place, arrays in groups.items():
        for path, values in arrays.items():
            layout = ArrayLayout.of(collection.schema, path, dimension="row", rows=LENGTHS.get(place, 0))
            if path != "time" and direct.supports(layout):
                wanted = fallback.encode(layout, stored_values(values, layout.variable))
                found = {key: (differential.folder(collection, place) / key).read_bytes() for key in wanted}
                assert differential.timeless(found, codecs) == differential.timeless(wanted, codecs), f"{place}/{path}"


@pytest.mark.parametrize("at", [0, 20, -1], ids=["in the header", "in the values", "in the checksum"])
@pytest.mark.parametrize("codecs", ["balanced with checksum"], scope="module", indirect=True)
def test_both_paths_refuse_a_chunk_with_a_damaged_byte(written, at):
    collection, groups = written
    for path in ("float64-row", "int8-row-x"):
        layout = ArrayLayout.of(collection.schema, path, dimension="row", rows=LENGTHS[LONG])
        chunks = dict(direct.encode(layout, stored_values(groups[LONG][path], layout.variable)))
        key, place = layout.chunk_parts[0]
        damaged = bytearray(chunks[key])
        damaged[at] ^= 1
        chunks[key] = bytes(damaged)
        out = np.empty(layout.shape, layout.variable.stored_dtype)
        with pytest.raises(ValueError, match=r"[Cc]hecksum"):
            direct.decode_chunk(layout, chunks[key], out[place])
        with pytest.raises(ValueError, match=r"[Cc]hecksum"):
            fallback.decode(layout, chunks, out)


def test_we_read_back_what_was_inserted_by_either_path(written):
    collection, groups = written
    for dataset, how in differential.read_by_each_path(collection):
        differential.assert_dataset(dataset, joined(collection.schema, groups), how)
    differential.assert_dataset(collection.query(lazy=True), joined(collection.schema, groups), "lazily")


def test_zarr_python_reads_what_was_inserted(written):
    collection, groups = written
    for place, wanted in groups.items():
        found = differential.read_with_zarr(collection, place, wanted)
        for path, values in wanted.items():
            differential.assert_same_bits(found[path], values, f"{place}/{path}")


@pytest.mark.parametrize("codecs", READ_WITH_XARRAY, scope="module", indirect=True)
def test_xarray_reads_what_was_inserted(written):
    collection, groups = written
    place = LONG
    found = differential.read_with_xarray(collection, place, groups[place])
    for path, values in groups[place].items():
        differential.assert_same_bits(found[path], values, path)


def test_tensorstore_reads_what_was_inserted_of_the_types_that_it_knows(written):
    collection, groups = written
    for place, wanted in groups.items():
        paths = [path for path in wanted if readable_by_tensorstore(collection.schema, path)]
        found = differential.read_with_tensorstore(collection, place, paths)
        for path in paths:
            differential.assert_same_bits(found[path], wanted[path], f"{place}/{path}")


@pytest.mark.parametrize("codecs", ["balanced"], scope="module")
def test_tensorstore_reads_no_other_type(written):
    collection, groups = written
    place = SHORT
    others = [path for path in groups[place] if not readable_by_tensorstore(collection.schema, path)]
    assert others
    for path in others:
        with pytest.raises(ValueError, match="data_type|data type"):
            differential.read_with_tensorstore(collection, place, [path])


def test_every_chunk_is_on_disk_fill_or_not(written):
    collection, groups = written
    for place, wanted in groups.items():
        rows = LENGTHS.get(place, 0)
        layouts = [ArrayLayout.of(collection.schema, path, dimension="row", rows=rows) for path in wanted]
        keys = {layout.chunk_key(index) for layout in layouts for index in layout.chunk_indices}
        folder = differential.folder(collection, place)
        found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
        assert {key for key in found if not key.endswith(("zarr.json", "/_statistics"))} == keys


@pytest.fixture(scope="module")
def overwritten(codecs, tmp_path_factory):
    """A collection whose chunks are all from zarr-python, and the arrays that it wrote."""
    schema = schema_of(codecs)
    collection = samples.create(tmp_path_factory.mktemp("overwritten") / "col", divisor=100, schema=schema)
    before, after = (
        {
            IMMUTABLE: arrays_of(schema, 0, partitioned=False, seed=seed),
            SHORT: {"time": np.arange(LONGEST)} | arrays_of(schema, LONGEST, partitioned=True, seed=seed),
        }
        for seed in (1, 2)
    )
    collection.insert(joined(schema, before))
    for place, arrays in after.items():
        for path, values in arrays.items():
            differential.write_with_zarr(collection, place, path, values)
    return collection, joined(schema, after)


@pytest.mark.parametrize("codecs", ["balanced", *differential.OTHER_BYTES], scope="module", indirect=True)
def test_we_read_what_zarr_python_wrote_by_either_path(overwritten):
    collection, wanted = overwritten
    for dataset, how in differential.read_by_each_path(collection):
        differential.assert_dataset(dataset, wanted, how)


def layout(*, row=4, x=2, shards=None, codecs="none", fill=-1, swath=True, extra=False):
    """Return a schema of a collection whose layout changes."""
    schema = (
        zc.Schema()
        .with_dimension("row", chunks=row, shards=shards)
        .with_dimension("x", size=WIDTH, chunks=x)
        .with_variable("time", dtype="int64", dimensions=("row",))
    )
    variables = [("value", "float64", ("row",)), ("across", "int32", ("x", "row"))]
    variables += [("swath", "int16", ("row", "x"))] * swath + [("extra", "uint32", ("row",))] * extra
    for name, dtype, dimensions in variables:
        schema = schema.with_variable(
            name,
            dtype=dtype,
            dimensions=dimensions,
            fill_value=abs(fill) if name == "extra" else fill,
            codecs=differential.codecs_of(codecs, len(dimensions)),
        )
    return schema.with_variable("name", dtype="string", dimensions=("row",), fill_value="", group="/deep").build()


EVOLUTIONS = {
    "adds a variable": ({}, {"extra": True}),
    "drops a variable": ({}, {"swath": False}),
    "another order of bytes": ({}, {"codecs": "big-endian"}),
    "another compressor": ({"codecs": "balanced"}, {"codecs": "zstd"}),
    "another level": ({"codecs": "balanced"}, {"codecs": "local-fast"}),
    "transposed": ({}, {"codecs": "transposed"}),
    "sharded": ({}, {"shards": 8}),
    "shorter chunks": ({}, {"row": 2}),
    "longer chunks": ({}, {"row": 5}),
    "other chunks across": ({}, {"x": 3}),
    "another fill value": ({}, {"fill": 9}),
    "all of it": ({}, {"codecs": "big-endian", "row": 3, "fill": 9, "extra": True, "swath": False}),
}


class Oracle:
    """The rows of each partition, each the time and the number of the insert that it comes from."""

    def __init__(self):
        self.partitions, self.held = {}, []

    def insert(self, times, schema, merge=None, without=()):
        """Return the arrays to insert, and do the same here."""
        number, paths = len(self.held), schema.all_variables().keys() - set(without)
        self.held.append(paths)
        for part in sorted({time // 100 for time in times}):
            new = [(time, number) for time in times if time // 100 == part]
            self.partitions[part] = _merged(self.partitions.get(part, []), new, merge)
        return {path: _values(path, [(time, number) for time in times]) for path in paths}

    def arrays(self, schema, part=None):
        """Return what a query finds; rows of inserts that lacked a variable hold the fill value of `schema`."""
        rows = [row for at in sorted(self.partitions) if part in (None, at) for row in self.partitions[at]]
        found = {}
        for path, variable in schema.all_variables().items():
            values, last = _values(path, rows).astype(variable.dtype), path == "across"
            lacking = np.array([path not in self.held[number] for _, number in rows])
            fill = default_fill(variable.dtype) if variable.fill_value is None else variable.fill_value
            values[(slice(None), lacking) if last else lacking] = fill
            found[path] = values
        return found


def _merged(existing, new, merge):
    if merge is None:
        return new
    if merge == "concat":
        return existing + new
    if merge == "time_series":
        first, last = min(new), max(new)
        return sorted([row for row in existing if not first[0] <= row[0] <= last[0]] + new)
    return sorted((dict(existing) | dict(new)).items())


def _values(path, rows):
    """Return values that tell their row and insert, and none of which is a fill value."""
    times = np.array([time for time, _ in rows], dtype="int64")
    marks = times + 1 + 1000 * np.array([number + 1 for _, number in rows])
    if path == "deep/name":
        return np.array([f"n{mark}" for mark in marks], dtype=np.dtypes.StringDType())
    wide = np.stack([marks, marks + 300, marks + 600])
    return {
        "time": times,
        "value": marks + 0.25,
        "across": wide.astype("int32"),
        "swath": wide.T.astype("int16"),
        "extra": marks.astype("uint32"),
    }[path]


def evolved(url, old, new):
    """Return a collection of two old partitions, one lacking a variable, in a new layout, and its oracle."""
    oracle, schema = Oracle(), layout(**old)
    collection = samples.create(url, divisor=100, schema=schema)
    collection.insert(oracle.insert([*range(0, 26, 2)], schema))
    collection.insert(oracle.insert([*range(100, 107)], schema, without=("value",)), missing="fill")
    return differential.with_layout(collection, layout(**new)), oracle


def assert_holds(collection, oracle):
    """Assert what we read, all and in part, and what zarr-python reads of each partition in the layout it states."""
    wanted = oracle.arrays(collection.schema)
    for dataset, how in differential.read_by_each_path(collection):
        differential.assert_dataset(dataset, wanted, how)
    differential.assert_dataset(collection.query(lazy=True), wanted, "lazily")
    for path in wanted:
        differential.assert_dataset(collection.query(variables=[path]), {path: wanted[path]}, "alone")
    layouts = collection._opened.configuration.layouts
    for place, record in collection.records().items():
        arrays = oracle.arrays(layouts[record.layout], record.key["quotient"])
        present = {path: values for path, values in arrays.items() if path not in record.absent}
        found = differential.read_with_zarr(collection, place, present)
        for path, values in present.items():
            differential.assert_same_bits(found[path], values, f"{place}/{path}, with layout {record.layout}")


@pytest.fixture(params=EVOLUTIONS)
def evolution(request):
    return EVOLUTIONS[request.param]


@pytest.mark.parametrize(
    ("evolution", "merge"), every_value(EVOLUTIONS, [None, "concat", "time_series", "upsert"]), indirect=["evolution"]
)
def test_old_and_new_partitions_hold_what_was_inserted_after_a_merge(tmp_path, evolution, merge):
    collection, oracle = evolved(tmp_path / "col", *evolution)
    times = [9, 10, 11, 40, 200, 201]  # within an old partition, after its end, and in a new one
    collection.insert(oracle.insert(times, collection.schema, merge), merge=merge, missing="fill")
    assert [record.layout for record in collection.records().values()] == [1, 0, 1]
    assert_holds(collection, oracle)


def test_old_partitions_are_updated_copied_and_dropped(tmp_path, evolution):
    collection, oracle = evolved(tmp_path / "col", *evolution)
    assert_holds(collection, oracle)
    assert_holds(collection.copy(tmp_path / "copy"), oracle)
    collection.update(lambda ds: {"across": ds["across"].to_numpy() * 2})
    wanted = oracle.arrays(collection.schema)
    wanted["across"] = wanted["across"] * 2
    for dataset, how in differential.read_by_each_path(collection):
        differential.assert_dataset(dataset, wanted, how)
    for place, record in collection.records().items():
        found = differential.read_with_zarr(collection, place, ["across"])["across"]
        part = oracle.arrays(collection.schema, record.key["quotient"])["across"] * 2
        differential.assert_same_bits(found, part, place)
    collection.drop_partitions(filters="quotient == 0")
    assert list(collection.records()) == ["sign=plus/quotient=1"]


KNOBS = st.fixed_dictionaries(
    {
        "row": st.integers(1, 6),
        "x": st.integers(1, 3),
        "codecs": st.sampled_from(["none", "big-endian", "transposed", "balanced", "zstd"]),
        "fill": st.sampled_from([-1, 9]),
        "swath": st.booleans(),
        "extra": st.booleans(),
    }
)


@examples(25)
@given(
    old=KNOBS,
    new=KNOBS,
    inserts=st.lists(
        st.tuples(
            st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True).map(sorted),
            st.sampled_from([None, "concat", "time_series", "upsert"]),
        ),
        min_size=1,
        max_size=2,
    ),
)
def test_any_change_of_layout_and_any_merges_equal_the_rows_inserted(old, new, inserts):
    collection, oracle = evolved(f"memory://{uuid.uuid4().hex}", old, new)
    for times, merge in inserts:
        # The oracle's upsert is that of distinct times.
        repeated = len(dict(oracle.partitions[0])) < len(oracle.partitions[0])
        how = "concat" if merge == "upsert" and repeated else merge
        collection.insert(oracle.insert(times, collection.schema, how), merge=how, missing="fill")
    assert_holds(collection, oracle)


def old_collection(extend):
    """Return a collection with six rows, opened after `extend` has been applied to its schema."""
    schema = (
        zc.Schema()
        .with_dimension("row", chunks=4)
        .with_dimension("x", size=2)
        .with_variable("time", dtype="int64", dimensions=("row",))
        .with_variable("angle", dtype="int16", dimensions=("x",))
    )
    collection = samples.create(f"memory://{uuid.uuid4().hex}", divisor=100, schema=schema)
    collection.insert({"time": range(6), "angle": [1, 2]})
    return differential.with_layout(collection, extend(schema).build())


def test_a_merge_may_lack_a_variable_that_an_old_partition_lacks_too():
    collection = old_collection(lambda s: s.with_variable("b", dtype="int16", dimensions=("row",), fill_value=-7))
    collection.insert({"time": [9]}, merge="concat", missing="fill")
    assert collection.query()["b"].to_numpy().tolist() == [-7] * 7


def test_an_immutable_variable_that_was_added_takes_its_first_values():
    collection = old_collection(lambda s: s.with_variable("b", dtype="int16", dimensions=("x",), fill_value=-7))
    collection.insert({"time": [9], "b": [3, 4]}, merge="concat")
    assert collection.query()["b"].to_numpy().tolist() == [3, 4]


@pytest.mark.parametrize(("dtype", "new"), [("int16", 1), ("float32", 1.5), ("string", "x")])
def test_a_variable_added_without_a_fill_value_reads_the_same_before_and_after_a_merge(dtype, new):
    collection = old_collection(lambda s: s.with_variable("b", dtype=dtype, dimensions=("row",)))
    before = collection.query()["b"].to_numpy().tolist()
    collection.insert({"time": [9], "b": [new]}, merge="concat")
    assert collection.query()["b"].to_numpy().tolist() == [*before, new]
