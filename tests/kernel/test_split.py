from typing import Any

import numpy as np
import pandas as pd
import pytest
import samples
from attrs import frozen
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from zcollection.collection import split as splitting
from zcollection.errors import PartitionError
from zcollection.model.dataset import Dataset


def split(times, partitioning=None):
    dataset = Dataset(samples.SCHEMA, samples.rows(times))
    return splitting.split(dataset, partitioning or samples.quotient(), dimension="row")


@pytest.fixture(params=[1, 3, 8, 1000], ids=lambda rows: f"blocks of {rows}")
def block(request, monkeypatch):
    monkeypatch.setattr(splitting, "_BLOCK", request.param)


@examples(100)
@given(times=st.lists(st.integers(-25, 25), max_size=40), rows=st.integers(1, 9))
def test_the_groups_are_those_of_pandas_whatever_the_size_of_the_blocks(times, rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "_BLOCK", rows)
        found = {part.path: np.arange(len(times))[part.rows].tolist() for part in split(times)}
    frame = pd.DataFrame({"time": times}, dtype="int64")
    frame["path"] = [f"sign={'minus' if time < 0 else 'plus'}/quotient={time // 10}" for time in times]
    assert found == {path: group.index.tolist() for path, group in frame.groupby("path")}


def test_the_partitions_are_in_the_order_of_their_keys(block):
    paths = [part.path for part in split([5, 101, 20, -1, -30, 6])]
    assert paths == [f"sign={item}" for item in ("minus/quotient=-3", "minus/quotient=-1", *PLUS)]


PLUS = ("plus/quotient=0", "plus/quotient=2", "plus/quotient=10")


def test_neighbouring_rows_of_one_partition_are_a_slice_also_across_blocks(block):
    assert [part.rows for part in split([*range(20, 40), *range(10)])] == [slice(20, 30), slice(0, 10), slice(10, 20)]


@frozen
class NoSevens(type(samples.quotient())):
    def keys(self, columns: Any) -> Any:
        (values,) = columns.values()
        if 7 in values:
            message = f"{np.count_nonzero(values == 7)} of {len(values)} rows are 7"
            raise PartitionError(message)
        return super().keys(columns)


def test_a_refusal_counts_the_rows_of_all_blocks(block):
    with pytest.raises(PartitionError, match="^2 of 12 rows are 7$"):
        split([*range(10), 7, 1], NoSevens(("time",)))
