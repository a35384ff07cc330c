"""``zcollection history``, ``changes`` and ``schema`` say what the collection says."""

import json

import pytest
from attrs import asdict

import zcollection as zc


def test_history_is_that_of_the_collection(command, collection, url):
    collection.drop_partitions(filters="day == 1")
    found = json.loads(command("history", url, "--json").out)
    assert found == [asdict(entry) for entry in collection.history()]
    header, *lines = command("history", url).out.splitlines()
    assert header.split() == ["version", "time", "operation", "partitions", "rows", "source"]
    assert [line.split()[2] for line in lines] == ["create", "insert", "drop"]
    assert [entry["operation"] for entry in json.loads(command("history", url, "-n", "2", "--json").out)] == [
        "insert",
        "drop",
    ]


@pytest.mark.parametrize("since", [0, 1, 2])
def test_changes_since_a_version(command, collection, url, since):
    collection.drop_partitions(filters="day == 1")
    expected = collection.changes(since=since)
    found = json.loads(command("changes", url, "--since", since, "--json").out)
    assert (found["version"], found["written"], found["dropped"]) == (
        expected.version, list(expected.written), list(expected.dropped),
    )  # fmt: skip
    *lines, last = command("changes", url, "--since", since).out.splitlines()
    assert lines == [f"written  {path}" for path in expected.written] + [
        f"dropped  {path}" for path in expected.dropped
    ]
    assert last == f"version {expected.version}"


@pytest.mark.parametrize("since", ["9", "yesterday"])
def test_a_version_that_never_was(command, url, since):
    done = command("changes", url, "--since", since)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert "unexpected" not in done.err


def test_the_schema_in_json_is_the_schema(command, collection, url):
    assert zc.DatasetSchema.from_json(command("schema", url, "--json").out) == collection.schema


def test_the_schema_in_words_names_everything(command, collection, url):
    out = command("schema", url).out
    for path in collection.schema.all_variables():
        assert path.rpartition("/")[2] in out
