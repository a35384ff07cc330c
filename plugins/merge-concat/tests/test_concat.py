import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_merge_concat.concat import Concat

from zcollection.testing import PluginSuite
from zcollection.testing.merge import MergeSuite

COLUMN = st.lists(st.integers(-3, 3) | st.just(np.nan), max_size=8).map(lambda values: np.array(values, dtype="f8"))


class TestPlugin(PluginSuite):
    distribution = "zcollection-merge-concat"


class TestConcat(MergeSuite):
    examples = (Concat(),)
    keeps_existing = True


@settings(deadline=None)
@given(existing=COLUMN, inserted=COLUMN)
def test_it_is_the_concatenation_of_pandas(existing, inserted):
    rows = pd.concat(
        [pd.DataFrame({"row": np.arange(existing.size)}), pd.DataFrame({"row": ~np.arange(inserted.size)})]
    )
    plan = Concat().rows(existing, inserted)
    assert plan.source.tolist() == rows["row"].tolist()
    assert plan.replaced == 0


def test_the_same_rows_twice_are_there_twice():
    assert Concat().rows(np.array([1, 2]), np.array([1, 2])).source.size == 4


def test_it_does_not_compare_the_axis():
    assert (Concat.reads_existing, Concat.compares_axis) == (True, False)
