"""Memory that was just used is used again: of large chunks few are held at once."""

import fakes
import numpy as np
import pytest

import zcollection as zc


@pytest.mark.parametrize(("width", "most"), [(2, None), (40_000, 1)])
def test_large_chunks_are_read_one_after_the_other_and_small_ones_at_once(tmp_path, monkeypatch, width, most):
    schema = (
        zc.Schema()
        .with_dimension("row", chunks=10)
        .with_dimension("x", size=width, chunks=width)
        .with_variable("row", dtype="int64", dimensions=("row",))
        .with_variable("wide", dtype="float64", dimensions=("row", "x"))
    )
    collection = zc.create_collection(
        str(tmp_path), schema=schema, axis="row", partitioning=fakes.Quotient(("row",), divisor=100)
    )
    values = np.arange(40.0).repeat(width).reshape(40, width)
    collection.insert({"row": np.arange(40), "wide": values})
    blocking, asked = type(collection.store.blocking), []
    whole = blocking.get

    def get(self, reads):
        asked.append([read.key for read in reads if "/wide/c/" in read.key])
        return whole(self, reads)

    monkeypatch.setattr(blocking, "get", get)
    np.testing.assert_array_equal(collection.query(variables=["wide"])["wide"].to_numpy(), values)
    counts = [len(keys) for keys in asked if keys]
    assert counts == ([most] * 4 if most else [4])
