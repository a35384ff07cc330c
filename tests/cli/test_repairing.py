"""``zcollection verify`` and ``zcollection repair`` say what Python says, and exit with 1 where something is wrong."""

import json
from pathlib import Path


def test_all_is_well(command, url):
    done = command("verify", url, "--data")
    assert (done.code, done.err) == (0, "")
    assert done.out == "version 1, 4 partitions, 13 chunks: no problems\n"
    assert json.loads(command("verify", url, "--json").out)["problems"] == []
    assert command("repair", url).out == "nothing to repair\n"


def test_what_is_wrong_is_told(command, collection, url):
    (Path(collection.store.root) / "year=2023/month=12/day=30/ssh/c/0/0").unlink()
    (Path(collection.store.root) / "_catalog/c/0").write_bytes(b"nonsense")
    done = command("verify", url)
    assert done.code == 1
    assert "partition 'year=2023/month=12/day=30', variable 'ssh', chunk 'ssh/c/0/0': it is missing" in done.out
    assert "the catalog is missing or damaged" in done.out
    found = json.loads(command("verify", url, "--json").out)["problems"]
    assert {
        "partition": "year=2023/month=12/day=30",
        "variable": "ssh",
        "chunk": "ssh/c/0/0",
        "what": "it is missing",
    } in found
    done = command("repair", url, "--json")
    assert done.code == 1
    assert json.loads(done.out)["done"] == ["the catalog was rebuilt"]
    assert [item["chunk"] for item in json.loads(done.out)["remaining"]] == ["ssh/c/0/0"]


def test_a_vacuum_tells_what_it_removed(command, url):
    assert command("vacuum", url).out == "0 staging areas of 0 B removed, 0 versions folded into the history\n"
    assert json.loads(command("vacuum", url, "--older-than", "0s", "--json").out)["versions"] > 0
    done = command("vacuum", url, "--older-than", "soon")
    assert (done.code, "older_than='soon'" in done.err) == (1, True)
