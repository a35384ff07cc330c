import fakes
import pytest

import zcollection as zc
from zcollection.registry.namespace import class_name


def test_a_module_offers_the_classes_of_its_family_by_name():
    assert zc.partitioning.Quotient is fakes.Quotient
    assert {"Append", "Mean"} <= set(dir(zc.merge))
    assert class_name("time_series") == class_name("time-series") == "TimeSeries"


def test_the_error_for_a_missing_class_names_the_distribution_to_install():
    with pytest.raises(zc.PluginError, match=r"zcollection.merge.Nothing: merge strategy 'nothing' is not installed"):
        _ = zc.merge.Nothing


@pytest.mark.parametrize("name", ["Nothing", "nothing", "__wrapped__", "_private"])
def test_a_missing_value_is_not_a_valid_attribute(name):
    assert not hasattr(zc.merge, name)
