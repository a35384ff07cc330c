"""Conformance of the computation, and tests of its own rules."""

import numpy as np
import pytest
import zcollection as zc
from zcollection.plugin import PluginConfigurationError, SchemaError
from zcollection.testing import ComputationSuite

from {{ cookiecutter.module }}.view import {{ cookiecutter.__class }}


def schema(ssh="float32"):
    builder = zc.Schema().with_dimension("time")
    for name, dtype in (("time", "int64"), ("latitude", "float64"), ("ssh", ssh)):
        builder = builder.with_variable(name, dtype=dtype, dimensions=("time",))
    return builder.build()


class Test{{ cookiecutter.__class }}(ComputationSuite):
    examples = ({{ cookiecutter.__class }}(), {{ cookiecutter.__class }}(latitudes=(0, 10), means=(1, 2)))


def rows(latitude, ssh):
    values = {"time": np.arange(len(ssh)), "latitude": np.array(latitude), "ssh": np.array(ssh, "float32")}
    return zc.Dataset(schema(), values)


def test_the_mean_is_linear_between_the_latitudes_of_the_table_and_constant_beyond():
    table = {{ cookiecutter.__class }}(latitudes=(-10, 0, 10), means=(0, 1, 3))
    found = table.compute(rows([-20.0, -5, 0, 5, 80], [1, 1, 1, 1, 1]))["ssh_anomaly"]
    assert found.tolist() == [1, 0.5, 0, -1, -2]


def test_missing_values_stay_missing():
    found = {{ cookiecutter.__class }}().compute(rows([np.nan, 0.0], [1, np.nan]))["ssh_anomaly"]
    assert np.isnan(found).all()


@pytest.mark.parametrize("wrong", [{"latitudes": (0, 0), "means": (1, 2)}, {"latitudes": (0,), "means": (1, 2)}])
def test_an_invalid_table_is_rejected(wrong):
    with pytest.raises(PluginConfigurationError, match="accepted: equal numbers of both, and ascending latitudes"):
        {{ cookiecutter.__class }}(**wrong)


def test_a_variable_of_integers_is_rejected():
    with pytest.raises(SchemaError, match="accepted: floating-point numbers"):
        {{ cookiecutter.__class }}().outputs(schema("int32"))


def test_a_view_can_use_the_computation():
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    base = zc.create_collection("memory://base", schema=schema(), axis="time", partitioning=partitioning)
    base.insert(rows([0.0, 90.0], [1.0, 1.0]))
    view = zc.create_view("memory://view", base=base, computation={{ cookiecutter.__class }}())
    assert view.refresh().computed == ("year=1970/month=01/day=01",)
    np.testing.assert_allclose(view.query()["ssh_anomaly"].to_numpy(), [0.4, 1.2], rtol=1e-6)
