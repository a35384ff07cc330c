"""Conformance of the partitioning, and tests of its own rules."""

import numpy as np
import pytest
import zcollection as zc
from hypothesis import strategies as st
from zcollection.plugin import PartitionError, PluginConfigurationError
from zcollection.testing import PartitioningSuite
from zcollection.testing.partitioning import table

from {{ cookiecutter.module }}.partitioning import {{ cookiecutter.__class }}


class Test{{ cookiecutter.__class }}(PartitioningSuite):
    examples = ({{ cookiecutter.__class }}(), {{ cookiecutter.__class }}(("data/lat",), degrees=45))

    def columns(self, partitioning):
        return table({path: ("float64", st.floats(-90, 90)) for path in partitioning.variables})


def test_a_band_includes_its_southern_edge_and_not_its_northern_one():
    keys = {{ cookiecutter.__class }}(degrees=30).keys({"latitude": np.array([-90, -60.1, -60, 0, 29.9, 30, 90])})
    assert keys["south"].tolist() == [-90, -90, -60, 0, 0, 30, 60]


@pytest.mark.parametrize("wrong", [np.nan, 90.5, -91, np.inf])
def test_an_invalid_latitude_is_rejected_and_its_position_named(wrong):
    with pytest.raises(PartitionError, match="at position 1"):
        {{ cookiecutter.__class }}().keys({"latitude": np.array([0, wrong])})


@pytest.mark.parametrize("wrong", [0, -10, 7, 2.5, True, "10"])
def test_a_height_that_does_not_divide_180_is_rejected(wrong):
    with pytest.raises(PluginConfigurationError, match="accepted: a divisor of 180"):
        {{ cookiecutter.__class }}(degrees=wrong)


def test_a_collection_can_be_partitioned_and_filtered_by_bands():
    schema = zc.Schema().with_dimension("time")
    for name in ("time", "latitude"):
        schema = schema.with_variable(name, dtype="float64", dimensions=("time",))
    url, bands = "memory://{{ cookiecutter.name }}", {{ cookiecutter.__class }}()
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=bands)
    collection.insert({"time": np.arange(4), "latitude": np.array([61, -3, 65, 12])})
    assert collection.partitions() == ("south=-10", "south=10", "south=60")
    assert collection.query(filters="south >= 60")["latitude"].to_numpy().tolist() == [61, 65]
