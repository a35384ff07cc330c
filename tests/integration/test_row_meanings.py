"""Conditions on what numbers mean: calendars, packings, groups, and the fields of keys."""

import numpy as np
import pandas as pd
import pytest

import zcollection as zc


def created(url, variables, partitioning, axis="time", **values):
    schema = zc.Schema().with_dimension("time", chunks=64)
    for name, options in variables.items():
        schema = schema.with_variable(name, dimensions=("time",), **options)
    made = zc.create_collection(url, schema=schema, axis=axis, partitioning=partitioning)
    made.insert(values)
    return made


@pytest.fixture(params=["file", "icechunk"])
def url(request, tmp_path):
    return f"{request.param}://{tmp_path}/collection"


@pytest.mark.parametrize(("dtype", "packed"), [("int32", False), ("float64", False), ("float64", True)])
def test_a_numeric_axis_in_a_calendar_without_leap_days_compares_with_texts(url, dtype, packed):
    days = np.arange(0, 800, dtype=dtype)
    packing = {"packing": zc.Packing("int32", scale_factor=0.5, add_offset=100.0)} if packed else {}
    attrs = {"units": "days since 2000-02-27", "calendar": "noleap"}
    collection = created(
        url, {"time": {"dtype": dtype, "attrs": attrs, **packing}}, zc.partitioning.Date(("time",), resolution="M"),
        time=days,
    )  # fmt: skip

    def found(where):
        return collection.query(where=where)["time"].to_numpy().tolist()

    # 1 March 2000 is two days after 27 February, and a year has 365 days.
    assert found("time == '2000-03-01'") == [2]
    assert found("time >= '2001-02-27' and time < '2001-03-01'") == [365, 366]
    assert found("'2000-02-28' <= time <= '2000-03-02'") == [1, 2, 3]
    assert found("time > 797 or time < 1") == [0, 798, 799]
    assert found("time > '2002-04-01'") == days[days > 763].tolist()
    assert collection.count("month == 2 and time < '2001-01-01'") == 2
    assert collection.count("time >= '2000-03-01' and month != 3 and year == 2000") == 306 - 31


def test_a_packed_axis_whose_scale_is_negative_is_asked_by_its_values(url):
    values = np.arange(1000) * 0.25
    collection = created(
        url,
        {
            "level": {"dtype": "float64", "packing": zc.Packing("int16", scale_factor=-0.25, fill_value=-32768)},
            "cycle": {"dtype": "int32"},
        },
        zc.partitioning.Values(("cycle",)),
        axis="level",
        level=values,
        cycle=np.arange(1000) // 250,
    )
    for text, mask in {
        "level >= 60 and level < 65": (values >= 60) & (values < 65),
        "level == 62.5": values == 62.5,
        "level > 249 or level < 0.5": (values > 249) | (values < 0.5),
        "level < 0": values < 0,
    }.items():
        np.testing.assert_array_equal(collection.query(where=text)["level"].to_numpy(), values[mask])
    late = collection.query(where="level >= 187.5 and cycle == 3")["level"].to_numpy()
    np.testing.assert_array_equal(late, values[750:])


def test_a_nested_variable_is_named_in_backticks_or_by_its_last_name(url):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=64)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_group("data-01/ku")
        .with_group("data-01/s")
        .with_variable("ssh", dtype="float32", dimensions=("time",), group="data-01/ku", statistics=True)
        .with_variable("range", dtype="float32", dimensions=("time",), group="data-01/ku")
        .with_variable("range", dtype="float32", dimensions=("time",), group="data-01/s")
    )
    made = zc.create_collection(
        url, schema=schema, axis="time", partitioning=zc.partitioning.Date(("time",), resolution="D")
    )
    time = np.datetime64("2024-01-01", "ns") + np.arange(500) * np.timedelta64(5, "m")
    ssh = np.sin(np.arange(500) / 50).astype("f4")
    made.insert({"time": time, "data-01/ku/ssh": ssh, "data-01/ku/range": ssh * 2, "data-01/s/range": ssh * 3})
    for text, mask in {
        "`data-01/ku/ssh` > 0.5": ssh > 0.5,
        "ssh > 0.5": ssh > 0.5,
        "`data-01/s/range` > 2 and `data-01/ku/range` < 1.9": (ssh * 3 > 2) & (ssh * 2 < np.float32(1.9)),
    }.items():
        np.testing.assert_array_equal(made.query(where=text)["time"].to_numpy(), time[mask])
        assert made.count(text) == mask.sum()
    with pytest.raises(zc.ExpressionError, match=r"(?s)range.*data-01/(s|ku)/range"):
        made.count("range > 1")


def test_grouped_sequences_are_asked_by_the_groups_of_keys_and_by_the_passes_of_rows(url):
    frame = pd.DataFrame({"cycle": np.repeat([1, 2, 3], 40), "pass": np.tile(np.repeat(np.arange(1, 9), 5), 3)})
    frame["time"] = np.arange(len(frame))
    collection = created(
        url,
        {"time": {"dtype": "int64"}, "cycle": {"dtype": "int16"}, "pass": {"dtype": "int32", "statistics": True}},
        zc.partitioning.GroupedSequence(("cycle", "pass"), size=4, start=1),
        **{name: frame[name].to_numpy() for name in frame},
    )
    fields = [field.name for field in collection.partitioning.fields]
    for text, mask in {
        "`pass` == 3": frame["pass"] == 3,
        "cycle == 2 and `pass` in (4, 5)": (frame["cycle"] == 2) & frame["pass"].isin([4, 5]),
        "`pass` > 8": frame["pass"] > 8,
        "cycle != 2 and not `pass` < 7": (frame["cycle"] != 2) & (frame["pass"] >= 7),
    }.items():
        assert collection.query(where=text)["time"].to_numpy().tolist() == frame["time"][mask].tolist()
        assert len(collection.find(text).partitions) == frame[mask].groupby(["cycle", (frame["pass"] - 1) // 4]).ngroups
    assert fields[0] == "cycle"


def test_fields_of_keys_may_be_named_where_no_variable_has_the_name(url):
    time = np.datetime64("2023-12-30", "ns") + np.arange(200) * np.timedelta64(30, "m")
    collection = created(
        url,
        {"time": {"dtype": "datetime64[ns]"}, "day": {"dtype": "int8", "statistics": True}},
        zc.partitioning.Date(("time",), resolution="D"),
        time=time,
        day=(np.arange(200) % 3).astype("int8"),
    )
    is_2024 = time >= np.datetime64("2024")
    assert collection.count("year == 2024") == is_2024.sum()
    assert collection.count("year + 1 == 2024 and month in (12,)") == (~is_2024).sum()
    assert collection.count("day == 2") == (np.arange(200) % 3 == 2).sum(), "a variable comes first"
    assert collection.find("year == 2024 and day == 1", filters="day == 2").partitions == ("year=2024/month=01/day=02",)
    assert collection.count("year == 2024 or day == 0") == (is_2024 | (np.arange(200) % 3 == 0)).sum()
    assert collection.delete("year == 2023").dropped == ("year=2023/month=12/day=30", "year=2023/month=12/day=31")
    assert collection.count() == is_2024.sum()
