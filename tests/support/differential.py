"""What the differential tests compare: types, codecs, arrays of any bits, and every reader that there is."""

from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import tensorstore
import xarray as xr
import zarr
from attrs import evolve

import zcollection as zc
from zcollection import portal
from zcollection.engine import direct
from zcollection.transaction.documents import CONFIGURATION, Configuration

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
    *("datetime64[D]", "datetime64[ms]", "datetime64[ns]", "timedelta64[s]", "timedelta64[ns]"),
    *("S5", "U3", "string"),
)


def blosc(cname, clevel, shuffle, **settings):
    return {"name": "blosc", "configuration": {"cname": cname, "clevel": clevel, "shuffle": shuffle, **settings}}


def zstd(level, *, checksum=False):
    return {"name": "zstd", "configuration": {"level": level, "checksum": checksum}}


GZIP = {"name": "gzip", "configuration": {"level": 1}}
CHECKSUM = {"name": "crc32c"}

DIRECT = {
    **{name: list(zc.codecs.profile(name)) for name in zc.codecs.profile_names()},
    "balanced with checksum": list(zc.codecs.profile("balanced", checksum=True)),
    "blosc lz4hc, bitshuffle": [blosc("lz4hc", 9, "bitshuffle", blocksize=0)],
    "blosc zlib, noshuffle": [blosc("zlib", 1, "noshuffle", blocksize=256)],
    "blosc blosclz, stored": [blosc("blosclz", 0, "shuffle", blocksize=0)],
    "gzip": [GZIP],
    "zstd": [zstd(3)],
    "zstd with its checksum": [zstd(1, checksum=True)],
    "checksum, then zstd": [CHECKSUM, zstd(1)],
    "zstd, then balanced": [zstd(1), *zc.codecs.profile("balanced")],
}
"""Codecs that follow the bytes of a chunk, all known to the direct path."""

FALLBACK = ("big-endian", "transposed", "sharded")
"""What only zarr-python encodes."""

CODECS = (*DIRECT, *FALLBACK)

OTHER_BYTES = ("zstd, then balanced", *FALLBACK)
"""Codecs whose chunks differ with the path that wrote them: blosc is told, or not, what it is given bytes of."""

SAME_BYTES = tuple(name for name in DIRECT if name not in OTHER_BYTES)

NOT_IN_TENSORSTORE = {
    "S": "its zarr3 driver has no data type null_terminated_bytes",
    "U": "its zarr3 driver has no data type fixed_length_utf32",
    "T": "its zarr3 driver has no data type string, nor the codec vlen-utf8",
}
"""Why tensorstore does not read a kind of type."""


def supports(dtype, codecs):
    """Return whether a collection can have such a variable."""
    element = zc.VariableSchema("v", dtype=dtype, dimensions=()).dtype
    if codecs == "big-endian":
        return element.kind not in "ST" and element.itemsize > 1  # the others have no order of bytes
    return not (codecs == "transposed" and element.kind == "T")  # refused by us: zarr-python may shuffle them


def codecs_of(name, dimensions):
    """Return what a schema is told, for a variable with so many dimensions."""
    if name == "big-endian":
        return [{"name": "bytes", "configuration": {"endian": "big"}}, zstd(1)]
    if name == "transposed":
        return [{"name": "transpose", "configuration": {"order": [*range(dimensions)][::-1]}}, zstd(1)]
    return DIRECT.get(name)


def fill_of(dtype):
    """Return a fill value that is no default, and of floats the one that equals nothing."""
    kind = zc.VariableSchema("v", dtype=dtype, dimensions=()).dtype.kind
    return {"b": True, "f": np.nan, "c": complex(0.5, np.nan), "S": b"z", "U": "é", "T": "nothing – é"}.get(
        kind, np.array(7).astype(dtype)[()] if kind in "iumM" else None
    )


def values_of(rng, schema, shape):
    """Return values of a variable: any bits for numbers and times (NaN with payloads, NaT, -0), any length for text."""
    dtype, count = schema.dtype, int(np.prod(shape))
    if dtype.kind == "T":
        texts = ["", "a", "mot é", "z" * 40, "\N{SNOWMAN}" * 100]
        return np.array([texts[at] for at in rng.integers(0, 5, count)], dtype=dtype).reshape(shape)
    if dtype.kind in "SU":
        letters = rng.choice(list("abcxyz" if dtype.kind == "S" else "abé\N{SNOWMAN}\U0001f30a"), (count, 5))
        return np.array(["".join(row[: row.size - at % 5]) for at, row in enumerate(letters)], dtype=dtype).reshape(
            shape
        )
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    return np.frombuffer(rng.bytes(count * dtype.itemsize), dtype=dtype).reshape(shape).copy()


def assert_same_bits(found, wanted, what):
    """Assert that two arrays hold the same bits, whatever the order of bytes; text is compared as text."""
    found = np.asarray(found)
    assert found.shape == wanted.shape, what
    if wanted.dtype.kind == "T":
        assert list(map(str, found.flat)) == list(map(str, wanted.flat)), what
        return
    found = found.astype(found.dtype.newbyteorder("="), copy=False)
    wanted = wanted.view("int64") if wanted.dtype.kind in "mM" and found.dtype == np.int64 else wanted
    assert found.dtype == wanted.dtype, what
    assert found.tobytes() == wanted.tobytes(), f"{what}:\n{found}\ninstead of\n{wanted}"


def assert_dataset(dataset, wanted, what):
    """Assert that a dataset holds these arrays and no other."""
    assert dataset.all_variables().keys() == wanted.keys(), what
    for path, values in wanted.items():
        assert_same_bits(dataset.get_variable(path).to_numpy(), values, f"{path}, {what}")


@contextmanager
def without_the_direct_path():
    """Leave every array to zarr-python."""
    with mock.patch.object(direct, "supports", return_value=False):
        yield


def read_by_each_path(collection, **query):
    """Yield what a query returns with the direct path and without it, and how it was read."""
    yield collection.query(**query), "by the direct path"
    with without_the_direct_path():
        yield collection.query(**query), "by zarr-python"


def timeless(chunks, codecs):
    """Return chunks without the time at which gzip says that it wrote them."""
    return {key: data[:4] + data[8:] for key, data in chunks.items()} if codecs == "gzip" else chunks


def read_with_zarr(collection, place, paths):
    """Return arrays of a group as zarr-python reads them."""
    group = zarr.open_group(collection.store.zarr, path=place, mode="r")
    return {path: group[path][...] for path in paths}


def read_with_xarray(collection, place, paths):
    """Return arrays of a group on disk as xarray reads them, not decoded: a decoded NaN would say nothing of its bits."""
    with xr.open_zarr(folder(collection, place), consolidated=False, decode_cf=False) as dataset:
        return {path: dataset[path].to_numpy() for path in paths}


def read_with_tensorstore(collection, place, paths):
    """Return arrays of a group on disk as tensorstore reads them."""
    specs = [
        {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder(collection, place) / path)}}
        for path in paths
    ]
    opened = [tensorstore.open(spec, open=True, read=True) for spec in specs]
    reads = [array.result().read() for array in opened]
    return {path: read.result() for path, read in zip(paths, reads, strict=True)}


def folder(collection, place):
    """Return the directory of a group."""
    return Path(collection.store.url.location) / place


def write_with_zarr(collection, place, path, values):
    """Write an array of a group on disk anew with zarr-python, over the document that is there."""
    where = folder(collection, place) / path
    for chunk in [*(where / "c").rglob("*"), where / "c"]:
        if chunk.is_file():
            chunk.unlink()
    array = zarr.open_array(where, mode="r+").with_config({"write_empty_chunks": True})
    array[...] = values.view("int64") if values.dtype.kind in "mM" else values


def with_layout(collection, schema):
    """Return a collection opened again after another schema has become the current one."""
    data = portal.run(collection.store.load_document, CONFIGURATION)
    configuration = Configuration.load(data, what=CONFIGURATION)
    later = evolve(configuration, layouts=(*configuration.layouts, schema))
    portal.run(collection.store.put, {CONFIGURATION: later.dump()})
    return zc.open_collection(str(collection.store.url), mode="rw")
