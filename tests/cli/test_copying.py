"""``zcollection copy`` copies a collection between any two stores, and verifies the copy."""

import json

import pytest

import zcollection as zc


@pytest.mark.parametrize("prefix", ["{}/copy", "icechunk://{}/copy"])
def test_a_copy_is_made_and_looked_over(command, collection, url, tmp_path, prefix):
    target = prefix.format(tmp_path)
    done = command("copy", url, target)
    rows = collection.query().sizes["time"]
    assert (done.code, done.err) == (0, "")
    assert done.out == f"4 partitions, {rows} rows, 13 chunks copied: no problems\n"
    assert zc.open_collection(target).query() == collection.query()
    assert command("verify", target, "--data").code == 0


def test_partitions_are_chosen_and_what_is_there_is_replaced_when_asked(command, collection, url, tmp_path):
    target = tmp_path / "copy"
    assert command("copy", url, target).code == 0
    done = command("copy", url, target, "--filter", "year == 2024")
    assert (done.code, "overwrite" in done.err) == (1, True)
    done = command("copy", url, target, "--filter", "year == 2024", "--overwrite", "--data", "--json")
    copied = collection.query(filters="year == 2024").sizes["time"]
    found = json.loads(done.out)
    chosen = collection.partitions(filters="year == 2024")
    assert 0 < len(chosen) < len(collection.partitions())
    assert (found["partitions"], found["rows"], found["problems"]) == (len(chosen), copied, [])
    assert zc.open_collection(target).query().sizes["time"] == copied


def test_each_store_has_its_own_options(command, url, tmp_path):
    assert command("copy", url, tmp_path / "copy", "--target-option", "fsync=true").code == 0
    done = command("copy", url, tmp_path / "other", "--target-option", "colour=red")
    assert (done.code, "'colour'" in done.err) == (1, True)
    assert not (tmp_path / "other").exists()
