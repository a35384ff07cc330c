"""``zcollection info`` says of a collection what Python says of it."""

import json

import pytest

import zcollection as zc


def test_json_agrees_with_python(command, collection, url):
    done = command("info", url, "--json")
    records = collection.records().values()
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "url": url,
        "axis": collection.axis,
        "dimension": collection.dimension,
        "partitioning": {
            "name": "date",
            "configuration": {"variables": ["time"], "resolution": "D", "dimension": None},
            "provided_by": "zcollection-partitioning-date>=2026.12.5",
        },
        "catalog": True,
        "variables": len(collection.schema.all_variables()),
        "partitions": len(collection.partitions()),
        "rows": collection.query().sizes["time"],
        "stored_bytes": sum(record.stored_bytes for record in records),
        "axis_range": ["2023-12-30T06:00:00", "2024-01-02T18:00:00"],
    }


def test_the_text_holds_the_same_facts(command, url):
    shown = dict(line.split(maxsplit=1) for line in command("info", url).out.splitlines())
    assert shown["url"] == url
    assert shown["axis"] == "time"
    assert shown["partitioning"].startswith("date(")
    assert "resolution='D'" in shown["partitioning"]
    assert shown["rows"] == "15"
    assert shown["partitions"] == "4"
    assert shown["range"] == "2023-12-30T06:00:00 … 2024-01-02T18:00:00"


def test_a_collection_without_rows_has_no_axis_range(command, make):
    url = str(make(0).store.url)
    facts = json.loads(command("info", url, "--json").out)
    assert (facts["partitions"], facts["rows"], facts["stored_bytes"], facts["axis_range"]) == (0, 0, 0, None)
    assert "range         unknown" in command("info", url).out


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        ("seconds since 2000-01-01", ["2000-01-01T00:00:01", "2000-01-01T00:01:05"]),
        ("microseconds since 2000-01-01", ["2000-01-01T00:00:00.000001", "2000-01-01T00:00:00.000065"]),
        (None, [1, 65]),
    ],
)
def test_numbers_are_shown_as_times_where_their_units_say_so(command, tmp_path, units, shown):
    variable = {"dtype": "int64", "dimensions": ("axis",), "attrs": {"units": units} if units else None}
    collection = zc.create_collection(
        f"file://{tmp_path}/numbers",
        schema=zc.Schema().with_dimension("axis").with_variable("axis", **variable),
        axis="axis",
        partitioning=zc.partitioning.Sequence(("axis",)),
    )
    collection.insert({"axis": [65, 1, 8]})
    assert json.loads(command("info", collection.store.url, "--json").out)["axis_range"] == shown


def test_an_axis_that_is_only_a_dimension_has_no_range(command, tmp_path):
    collection = zc.create_collection(
        f"file://{tmp_path}/plain",
        schema=zc.Schema().with_dimension("row").with_variable("cycle", dtype="int64", dimensions=("row",)),
        axis="row",
        partitioning=zc.partitioning.Sequence(("cycle",)),
    )
    collection.insert({"cycle": [2, 1]})
    facts = json.loads(command("info", collection.store.url, "--json").out)
    assert (facts["axis"], facts["axis_range"]) == ("row", None)


def test_a_name_in_a_document_drives_no_terminal(collection, command, url, tmp_path):
    document = tmp_path / "altimetry" / "_zcollection.json"
    body = {**json.loads(document.read_bytes()), "checksum": None}
    body["partitioning"]["name"] = "date\x1b[31m"
    document.write_text(json.dumps(body))
    done = command("info", url)
    assert r"date\x1b[31m(" in done.out
    assert "\x1b" not in done.out + repr(zc.open_collection(url))
