"""``zcollection coverage`` says what `coverage` finds, and exits as a cron job needs it."""

import json

import numpy as np
import pytest
from zcollection_coverage import coverage

import zcollection as zc


@pytest.fixture
def gappy(tmp_path) -> zc.Collection:
    schema = (
        zc.Schema()
        .with_dimension("time")
        .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
        .with_variable("flag", dtype="int8", dimensions=("time",))
    )
    made = zc.create_collection(tmp_path / "gappy", schema=schema, axis="time", partitioning="date:D")
    hours = np.datetime64("2024-01-01", "s") + np.delete(np.arange(96), [*range(24, 49), 60]) * np.timedelta64(1, "h")
    made.insert({"time": hours, "flag": np.arange(len(hours)) % 2})
    return made


def test_coverage_says_what_the_library_finds(command, gappy, tmp_path):
    found = coverage(gappy)
    said = json.loads(command("coverage", f"{tmp_path}/gappy", "--json").out)
    assert said["total"]["share"] == found.total.share == 70 / 96
    assert [item["length"] for item in said["gaps"]] == [26 * 3600.0, 7200.0]
    assert [item["missing"] for item in said["gaps"]] == [25, 1]
    assert said["gaps"][0]["start"] == "2024-01-01T23:00:00"
    assert said["absent"] == [{"year": 2024, "month": 1, "day": 2}]
    lines = command("coverage", f"{tmp_path}/gappy").out.splitlines()
    assert "2024-01  █·▓█" in lines


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--fail-under", "70", "--max-gap", "2 d"), 0, ""),
        (("--fail-under", "73"), 1, "72.91 % of the expected rows are there, less than 73 %"),
        (("--max-gap", "PT25H"), 1, "the largest gap is 1 d 2 h, more than PT25H"),
        (("--fail-under", "60", "--where", "flag == 1"), 0, ""),
        (("--fail-under", "60", "--where", "flag == 7"), 1, "nothing is known of what is expected"),
        (("--max-gap", "soon"), 1, "--max-gap is 'soon'; accepted: a length of time"),
    ],
)
def test_the_exit_code_says_whether_it_is_enough(command, gappy, tmp_path, options, code, message):
    assert gappy.count()
    done = command("coverage", f"{tmp_path}/gappy", *options)
    assert done.code == code
    assert message in done.err
