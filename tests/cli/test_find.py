"""``zcollection find`` and ``count`` agree with `Collection.find`."""

import json

import pytest

CONDITIONS = ["time < '2023-12-31'", "time >= '2023-12-30T12' and time != '2024-01-01T00'", "time < '1999-01-01'"]


@pytest.mark.parametrize("where", CONDITIONS)
@pytest.mark.parametrize("filters", [None, "year == 2024"])
def test_find_gives_the_runs_of_rows(command, collection, url, where, filters):
    options = [] if filters is None else ["--filter", filters]
    rows = collection.find(where, filters=filters)
    found = json.loads(command("find", url, "--where", where, *options, "--json").out)
    assert found["rows"] == len(rows)
    assert {item["path"]: item["ranges"] for item in found["partitions"]} == {
        path: ranges.tolist() for path, ranges in rows.ranges.items()
    }
    *lines, last = command("find", url, "--where", where, *options).out.splitlines()
    wanted = [
        [path, str(stop - start), str(start), str(stop)]
        for path, ranges in rows.ranges.items()
        for start, stop in ranges.tolist()
    ]
    assert [line.split() for line in lines[1:]] == wanted
    assert last.startswith(f"{len(rows)} rows of {len(rows.partitions)} partitions")


@pytest.mark.parametrize("where", [None, *CONDITIONS])
@pytest.mark.parametrize("filters", [None, "year == 2024"])
def test_count(command, collection, url, where, filters):
    options = [*([] if filters is None else ["--filter", filters]), *([] if where is None else ["--where", where])]
    expected = collection.count(where, filters=filters)
    assert command("count", url, *options).out == f"{expected}\n"
    assert json.loads(command("count", url, *options, "--json").out) == {"rows": expected}


def test_find_needs_a_condition(command, url):
    assert command("find", url).code == 2
