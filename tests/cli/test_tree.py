"""``zcollection tree`` shows groups, dimensions and variables, then the partitions by the segments of their paths."""

import json

from zcollection.model.dtypes import dtype_name


def test_the_whole_tree_of_a_small_collection(command, url):
    assert (
        command("tree", url).out
        == f"""\
{url}
├── schema
│   ├── dimension time: partitioned, chunks of 4
│   ├── dimension x_ac: 2
│   ├── time(time) datetime64[ns]
│   ├── ssh(time, x_ac) float32
│   ├── angle(x_ac) float64, stored once
│   └── data_01/
│       └── ku/
│           ├── dimension range: 3, chunks of 3, shards of 6
│           └── power(time, range) int16
└── partitions: 4, rows: 15
    ├── year=2023  7 rows
    │   └── month=12  7 rows
    │       ├── day=30  3 rows
    │       └── day=31  4 rows
    └── year=2024  8 rows
        └── month=01  8 rows
            ├── day=01  4 rows
            └── day=02  4 rows
"""
    )


def walk(group, path=""):
    yield path, group
    for child in group["groups"]:
        yield from walk(child, f"{path}/{child['name']}".lstrip("/"))


def leaves(branches):
    for branch in branches:
        if branch["branches"]:
            below = list(leaves(branch["branches"]))
            assert branch["rows"] == sum(item["rows"] for item in below)
            assert branch["partitions"] == len(below)
            assert all(item["path"].startswith(f"{branch['path']}/") for item in below)
            yield from below
        else:
            yield branch


def test_json_has_the_schema(command, collection, url):
    found = json.loads(command("tree", url, "--json").out)
    groups = dict(walk(found["schema"]))
    assert found["url"] == url
    assert list(groups) == list(collection.schema.all_groups())
    for path, group in collection.schema.all_groups().items():
        assert groups[path]["dimensions"] == [
            {"name": item.name, "size": item.size, "chunks": item.chunks, "shards": item.shards}
            for item in group.dimensions.values()
        ]
        assert [(item["name"], item["dtype"], tuple(item["dimensions"])) for item in groups[path]["variables"]] == [
            (item.name, dtype_name(item.dtype), item.dimensions) for item in group.variables.values()
        ]
    assert [item["name"] for item in groups[""]["variables"] if item["stored_once"]] == ["angle"]


def test_json_has_every_partition_with_its_rows(command, collection, url):
    found = list(leaves(json.loads(command("tree", url, "--json").out)["partitions"]))
    assert {item["path"]: item["rows"] for item in found} == {
        path: record.rows for path, record in collection.records().items()
    }


def test_many_partitions_are_cut_short_and_all_of_them_counted(command, make):
    collection = make(4 * 50)
    shown = command("tree", collection.store.url).out
    assert shown.count("day=") == 20
    assert shown.splitlines()[-1] == "    └── … 31 more (--all shows them)"
    assert "partitions: 51, rows: 200" in shown
    assert "month=01  124 rows" in shown


def test_all_of_many_partitions_are_shown_on_request(command, make):
    collection = make(4 * 50)
    shown = command("tree", collection.store.url, "--all").out
    assert shown.count("day=") == len(collection.partitions()) == 51
    assert "more" not in shown


def test_a_collection_without_partitions_has_a_tree(command, make):
    assert command("tree", make(0).store.url).out.endswith("└── partitions: 0, rows: 0\n")
