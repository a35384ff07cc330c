"""``zcollection repartition`` and ``rewrite`` say what they did, and do what the library does."""

import json

import pytest
import shapes

import zcollection as zc


@pytest.fixture
def place(tmp_path):
    shapes.create(str(tmp_path / "days"), "date:D", shapes.SEVEN_DAYS)
    return str(tmp_path / "days")


def test_repartition(command, place):
    before = shapes.values(zc.open_collection(place).query())
    planned = command("repartition", place, "--by", "date:M", "--dry-run")
    assert planned.out.splitlines()[0] == "7 partitions, then 3"
    assert "3 would be written, 7 dropped: 56 rows" in planned.out
    assert len(zc.open_collection(place).partitions()) == 7
    done = json.loads(command("repartition", place, "--by", "date:M", "--json").out)
    assert (done["before"], done["after"], done["rows"], done["reused"]) == (7, 3, 56, 0)
    assert done["written"] == list(zc.open_collection(place).partitions())
    shapes.assert_same(shapes.values(zc.open_collection(place).query()), before)
    assert command("repartition", place, "--by", "date:M").out.splitlines()[1].startswith("0 were written, 0 dropped")


def test_rewrite(command, place):
    assert "7 would be written" in command("rewrite", place, "--codecs", "cloud-balanced", "--dry-run").out
    done = command("rewrite", place, "--codecs", "cloud-balanced", "--chunks", "row=4", "--shards", "row=8")
    assert "7 were written, 0 dropped: 56 rows" in done.out
    schema = zc.open_collection(place).schema
    assert (schema.dimensions["row"].chunks, schema.dimensions["row"].shards) == (4, 8)
    assert schema.get_variable("number").codecs[1]["configuration"]["cname"] == "zstd"
    command("rewrite", place, "--codecs", "number=none", "--codecs", "deep/flag=cloud-cold", "--shards", "row=none")
    schema = zc.open_collection(place).schema
    assert schema.dimensions["row"].shards is None
    assert [codec["name"] for codec in schema.get_variable("number").codecs] == ["bytes", "crc32c"]
    assert json.loads(command("rewrite", place, "--json").out)["written"] == []
    assert zc.open_collection(place).verify(data=True).is_clean


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["rewrite", "--chunks", "row"], "DIMENSION=ROWS"),
        (["rewrite", "--shards", "row=auto"], "DIMENSION=none"),
        (["rewrite", "--codecs", "none", "--codecs", "number=none"], "VARIABLE=PROFILE"),
        (["rewrite", "--codecs", "quick"], "balanced"),
        (["repartition", "--by", "date:Q"], "date"),
    ],
)
def test_what_cannot_be_done_is_said(command, place, options, message):
    verb, *rest = options
    done = command(verb, place, *rest)
    assert done.code in {1, 2}
    assert message in done.err
