"""``zcollection ls`` lists what `Collection.partitions` lists, whatever the width of a terminal would be."""

import json

import numpy as np
import pytest

import zcollection as zc


def test_every_partition_has_a_line_in_the_order_of_the_keys(command, collection, url):
    done = command("ls", url)
    assert (done.code, done.err) == (0, "")
    assert tuple(done.out.splitlines()) == collection.partitions()


@pytest.mark.parametrize("expression", ["year == 2024", "month in (1, 12) and day > 1", "day == 17"])
def test_a_filter_leaves_what_it_leaves_in_python(command, collection, url, expression):
    done = command("ls", url, "--filter", expression)
    assert done.code == 0
    assert tuple(done.out.splitlines()) == collection.partitions(filters=expression)


def test_json_agrees_with_the_records(command, collection, url):
    listed = json.loads(command("ls", url, "--json").out)
    records = collection.records()
    assert [item["path"] for item in listed] == list(records)
    for item, record in zip(listed, records.values(), strict=True):
        assert item["key"] == record.key
        assert item["rows"] == record.rows
        assert item["stored_bytes"] == record.stored_bytes
    assert listed[0]["axis_range"] == ["2023-12-30T06:00:00", "2023-12-30T18:00:00"]


def test_long_adds_rows_bytes_and_the_range_of_the_axis(command, collection, url):
    header, *lines = command("ls", url, "--long").out.splitlines()
    assert header.split() == ["path", "rows", "bytes", "time"]
    for line, (path, record) in zip(lines, collection.records().items(), strict=True):
        assert line.split()[:3] == [path, str(record.rows), str(record.stored_bytes)]
    assert lines[-1].endswith("2024-01-02T00:00:00 … 2024-01-02T18:00:00")


def test_a_long_path_is_neither_cut_nor_wrapped(command, tmp_path):
    names = [f"{letter * 150}" for letter in "abcd"]
    schema = zc.Schema().with_dimension("row")
    for name in names:
        schema = schema.with_variable(name, dtype="int64", dimensions=("row",))
    collection = zc.create_collection(
        f"file://{tmp_path}/long",
        schema=schema,
        axis=names[0],
        partitioning=zc.partitioning.Sequence(tuple(names)),
    )
    collection.insert({name: [7] for name in names})
    (path,) = collection.partitions()
    assert len(path) > 600
    url = collection.store.url
    assert command("ls", url).out == f"{path}\n"
    assert command("ls", url, "--long").out.splitlines()[1].startswith(f"{path}  ")
    for name in names:
        assert f"{name}=7  1 rows" in command("tree", url).out


def test_a_collection_without_partitions_lists_nothing(command, make):
    url = str(make(0).store.url)
    assert command("ls", url) == (0, "", "")
    assert json.loads(command("ls", url, "--json").out) == []


def test_a_filter_that_cannot_be_understood_is_an_error(command, url):
    done = command("ls", url, "--filter", "colour == 3")
    assert (done.code, done.out) == (1, "")
    assert "'colour'" in done.err
    assert "'year'" in done.err


@pytest.fixture
def by_platform(tmp_path):
    """A collection by a text and a boolean."""
    schema = zc.Schema().with_dimension("row")
    for name, dtype in (("time", "int64"), ("platform", "string"), ("ascending", "bool")):
        schema = schema.with_variable(name, dtype=dtype, dimensions=("row",))
    partitioning = zc.partitioning.Values(("platform", "ascending"))
    made = zc.create_collection(f"file://{tmp_path}/platforms", schema=schema, axis="time", partitioning=partitioning)
    made.insert(
        {"time": [0, 1, 2], "platform": np.array(["S3A", "GDR F", "S3A"], "T"), "ascending": [True, True, False]}
    )
    return str(made.store.url)


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("platform == 'S3A'", ["platform=S3A/ascending=false", "platform=S3A/ascending=true"]),
        ("platform in ('GDR F', 'S3B') and ascending", ["platform=GDR%20F/ascending=true"]),
        ("not ascending", ["platform=S3A/ascending=false"]),
    ],
)
def test_partitions_are_filtered_by_strings_and_booleans(command, by_platform, expression, paths):
    assert command("ls", by_platform, "--filter", expression).out.splitlines() == paths


def test_json_has_strings_and_booleans_as_they_are(command, by_platform):
    listed = json.loads(command("ls", by_platform, "--json", "--filter", "platform == 'GDR F'").out)
    assert [(item["path"], item["key"]) for item in listed] == [
        ("platform=GDR%20F/ascending=true", {"platform": "GDR F", "ascending": True})
    ]
