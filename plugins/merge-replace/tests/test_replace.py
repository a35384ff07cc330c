import numpy as np
import pytest
from zcollection_merge_replace.replace import Replace

from zcollection.plugin import MergeStrategy
from zcollection.testing import PluginSuite
from zcollection.testing.merge import MergeSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-merge-replace"


class TestReplace(MergeSuite):
    examples = (Replace(),)


@pytest.mark.parametrize("existing", [0, 3])
def test_inserted_rows_are_all_there_is_in_the_order_in_which_they_arrive(existing):
    plan = Replace().rows(np.arange(existing), np.array([5, 5, 1]))
    assert plan.source.tolist() == [~0, ~1, ~2]
    assert plan.replaced == existing


def test_an_empty_insert_empties_the_partition():
    assert Replace().rows(np.arange(3), np.arange(0)).source.tolist() == []


def test_it_neither_reads_existing_rows_nor_compares_the_axis():
    assert (Replace.reads_existing, Replace.compares_axis) == (False, False)
    assert isinstance(Replace(), MergeStrategy)
