import numpy as np
import pytest
from zcollection_merge_upsert.upsert import Upsert

from zcollection.plugin import PluginConfigurationError, SchemaError

NUMBERS = np.array([1, 2])
TIMES = np.array(["2024-01-01"], dtype="datetime64[ns]")


@pytest.mark.parametrize(
    "tolerance",
    [
        -1,
        -0.5,
        np.nan,
        np.inf,
        True,
        "1s",
        np.timedelta64(-1, "s"),
        np.timedelta64("NaT", "s"),
        np.timedelta64(1, "M"),
        np.timedelta64(1, "Y"),
    ],
    ids=repr,
)
def test_what_is_no_tolerance_is_rejected(tolerance):
    with pytest.raises(PluginConfigurationError, match=r"tolerance of an upsert is .*; accepted: None, a number or"):
        Upsert(tolerance=tolerance)


def test_a_number_is_rejected_on_an_axis_of_times():
    with pytest.raises(SchemaError, match=r"type datetime64\[ns\].*tolerance of the upsert is 5;.*numpy\.timedelta64"):
        Upsert(tolerance=5).rows(TIMES, TIMES)


def test_a_duration_is_rejected_on_an_axis_of_numbers():
    with pytest.raises(SchemaError, match=r"type int64.*timedelta64\(1,'s'\).*None or a number"):
        Upsert(tolerance=np.timedelta64(1, "s")).rows(NUMBERS, NUMBERS)


def test_any_tolerance_is_rejected_on_an_axis_of_text():
    text = np.array(["a"])
    with pytest.raises(SchemaError, match=r"accepted for such an axis: None$"):
        Upsert(tolerance=1).rows(text, text)


def test_a_tolerance_that_does_not_fit_is_rejected_for_empty_columns_too():
    with pytest.raises(SchemaError):
        Upsert(tolerance=1).rows(TIMES[:0], TIMES[:0])


@pytest.mark.parametrize(("given", "kept"), [(np.int32(3), 3), (np.float32(0.5), 0.5), (np.uint8(7), 7)])
def test_numbers_of_numpy_are_kept_as_plain_ones(given, kept):
    tolerance = Upsert(tolerance=given).tolerance
    assert (type(tolerance), tolerance) == (type(kept), kept)


def test_a_multiple_of_a_unit_is_kept_in_the_unit():
    tolerance = Upsert(tolerance=np.timedelta64(3, "10s")).tolerance
    assert (tolerance, np.datetime_data(tolerance.dtype)) == (np.timedelta64(30, "s"), ("s", 1))
