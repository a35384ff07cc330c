"""Rows are merged with the axis that the statistics describe, with the same result as with the axis that is stored."""

import uuid
from contextlib import nullcontext
from unittest.mock import patch

import kept
import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from zcollection_merge_upsert.upsert import Upsert

import zcollection as zc
from zcollection.engine import statistics

_PATH = "number=0"
_AXES = {
    "numbers": {"dtype": "int64"},
    "small numbers": {"dtype": "uint8"},
    "numbers with a fill value": {"dtype": "int16", "fill_value": 7},
    "floats": {"dtype": "float64"},
    "datetimes": {"dtype": "datetime64[s]"},
    "times": {"dtype": "int32", "attrs": {"units": "minutes since 2000-01-01"}},
    "times with a fill value": {"dtype": "int64", "attrs": {"units": "seconds since 2000-01-01"}, "fill_value": 7},
    "times of a calendar": {"dtype": "int64", "attrs": {"units": "days since 2000-02-20", "calendar": "360_day"}},
    "packed floats": {"dtype": "float64", "packing": zc.Packing("int16", scale_factor=0.1, fill_value=-32768)},
}
_TOLERANCES = {"i": 2, "u": 2, "f": 2.5, "M": np.timedelta64(2, "s")}
_DELIVERY = st.lists(st.one_of(st.integers(0, 100), st.none()), min_size=1, max_size=5) | st.builds(
    lambda start, step, count: [start + step * number for number in range(count)],
    st.integers(0, 20),
    st.integers(1, 3),
    st.integers(1, 20),
)


def _collection(form):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4)
        .with_variable("time", dimensions=("time",), **form)
        .with_variable("number", dtype="int32", dimensions=("time",))
        .with_variable("order", dtype="int64", dimensions=("time",))
    )
    by_number = zc.partitioning.Values(("number",))
    return zc.create_collection(f"memory://{uuid.uuid4().hex}", schema=schema, axis="time", partitioning=by_number)


def _values(numbers, form):
    dtype = np.dtype(form["dtype"])
    missing = {"f": np.nan, "M": np.datetime64("NaT", "s")}.get(dtype.kind, form.get("fill_value", 0))
    return np.array([missing if number is None else np.array(number, dtype) for number in numbers], dtype)


def _strategies(form):
    kind = "M" if "units" in form.get("attrs", {}) else np.dtype(form["dtype"]).kind
    return [Upsert(), Upsert(), Upsert(tolerance=_TOLERANCES[kind]), "time_series", "concat"]


def _merged(form, deliveries, *, whole):
    """Return the rows, the record, the reports and the statistics after some inserts."""
    collection, order, reports = _collection(form), 0, []
    with patch.object(statistics, "reading_axis", _nothing) if whole else nullcontext():
        for strategy, numbers in deliveries:
            values = _values(numbers, form)
            rows = {"time": values, "number": np.zeros(len(values), "i4"), "order": order + np.arange(len(values))}
            reports.append(collection.insert(rows, merge=strategy))
            order += len(values)
    found, known = collection.query(), kept.loaded(collection, _PATH)
    columns = [found[name].to_numpy().tolist() for name in ("time", "order")]
    record = collection.records()[_PATH]
    zones = {path: repr(each) for path, each in known.zones.items()}
    return repr((columns, record.rows, record.axis_range, reports, zones, known.checksums.tolist(), known.sampling))


def _nothing(*_, **__):
    return None
    yield


@pytest.mark.parametrize("name", _AXES)
@examples(25)
@given(data=st.data())
def test_the_axis_of_the_statistics_gives_what_the_stored_axis_gives(name, data):
    form = _AXES[name]
    each = st.tuples(st.sampled_from(_strategies(form)), _DELIVERY)
    deliveries = data.draw(st.lists(each, min_size=2, max_size=4))
    assert _merged(form, deliveries, whole=False) == _merged(form, deliveries, whole=True)
