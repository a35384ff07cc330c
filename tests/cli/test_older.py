"""``zcollection diff``, ``rollback``, ``tag``, ``retain`` and ``follow`` do what the collection does."""

import json

import numpy as np
import pytest

import zcollection as zc


@pytest.fixture
def kept(collection):
    """Return the collection, with older versions that are kept: of version 3, one partition was dropped."""
    collection.retain(9)
    collection.drop_partitions(filters="day == 1")
    return collection


def test_a_change_is_seen_and_taken_back(command, kept, url):
    before = zc.open_collection(url, at=2).query()["time"].to_numpy()
    (gone,) = kept.diff(2)
    found = json.loads(command("diff", url, "2", "--json").out)
    assert found["partitions"] == [
        {"partition": gone.path, "added": 0, "removed": len(gone.removed), "changed": 0, "variables": []}
    ]
    header, line = command("diff", url, "2", "3").out.splitlines()
    assert header.split() == ["partition", "added", "removed", "changed", "variables"]
    assert line.split() == [gone.path, "0", str(len(gone.removed)), "0"]
    assert command("rollback", url, "2", "--yes").out.splitlines() == [
        f"restored  {gone.path}",
        "1 partitions changed",
    ]
    np.testing.assert_array_equal(kept.query()["time"].to_numpy(), before)


def test_a_rollback_asks_first(command, kept, url):
    done = command("rollback", url, "2")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert len(kept.history()) == 4


def test_versions_are_given_names(command, kept, url):
    assert command("tag", url, "good", "2").out == "tag good is version 2\n"
    assert json.loads(command("tag", url, "--json").out) == {"good": 2} == kept.tags()
    assert command("tag", url).out.splitlines()[1].split() == ["good", "2"]
    done = command("tag", url, "good")
    assert (done.code, done.out) == (1, "")
    assert "taken" in done.err
    assert command("tag", url, "good", "--delete").out == "tag good removed\n"
    assert kept.tags() == {}


def test_how_long_older_versions_stay(command, collection, url):
    assert command("retain", url, "30d").code == 0
    collection.drop_partitions(filters="day == 1")
    assert zc.open_collection(url, at=2).query() is not None
    assert command("retain", url, "none").code == 0
    assert json.loads(command("vacuum", url, "--json").out)["groups"] == 1
    done = command("diff", url, "2")
    assert (done.code, done.out) == (1, "")
    assert "is not kept" in done.err
    assert command("retain", url, "soon").code == 1


def test_versions_are_followed_line_by_line(command, kept, url):
    lines = [json.loads(line) for line in command("follow", url, "--since", "0", "--once", "--json").out.splitlines()]
    assert [line["version"] for line in lines] == [1, 2, 3]
    assert [line["operation"] for line in lines] == ["insert", "retain", "drop"]
    assert lines[0]["written"] == list(kept.changes(since=0).written) + lines[2]["dropped"] or lines[0]["written"]
    shown = command("follow", url, "--since", "2", "--once").out.splitlines()
    assert shown[0].startswith("version 3  ")
    assert shown[1:] == [f"  dropped  {path}" for path in lines[2]["dropped"]]


def test_a_command_meets_each_version_once_also_where_it_fails(command, kept, url, tmp_path):
    state, log = tmp_path / "state.json", tmp_path / "log"
    follow = ("follow", url, "--state", state, "--once")
    assert command(*follow).out == ""  # those to come
    kept.drop_partitions(filters="day == 2")
    failing = command(*follow, "--exec", f'echo $ZCOLLECTION_VERSION >> "{log}"; exit 7')
    assert failing.code == 7
    for _ in range(2):
        assert command(*follow, "--exec", f'cat >> "{log}"; echo >> "{log}"').code == 0
    number, line = log.read_text().splitlines()
    assert number == "4"
    assert json.loads(line)["version"] == 4
    state.write_text("{}")
    done = command(*follow)
    assert (done.code, done.out) == (2, "")
    assert "contains no version" in done.err


def test_an_older_version_is_read(command, kept, url):
    then = zc.open_collection(url, at=2)
    for at in ("2", then.history()[-1].time):
        assert command("count", url, "--at", at).out == f"{then.count()}\n"
    condition = "time < '2023-12-31T00:00'"
    assert command("count", url, "--at", "2", "--where", condition).out == f"{then.count(condition)}\n"
    assert json.loads(command("find", url, "--at", "2", "--where", condition, "--json").out)["version"] == 2
    assert json.loads(command("info", url, "--at", "2", "--json").out)["rows"] == then.count() > kept.count()
    assert json.loads(command("query", url, "--at", "2", "--json").out)["rows"] == then.count()
    assert len(json.loads(command("head", url, "--at", "2", "-n", "1000", "--json").out)["data"]) == then.count()
    stats = json.loads(command("stats", url, "--at", "2", "--json").out)
    assert stats["time"]["count"] == then.count()
    before = command("ls", url, "--at", "2", "--long").out
    assert json.loads(command("ls", url, "--at", "2", "--json").out) != json.loads(command("ls", url, "--json").out)
    kept.drop_variable("angle")
    assert command("ls", url, "--at", "2", "--long").out == before
    assert "angle" in command("tree", url, "--at", "2").out
    assert "angle" not in command("tree", url).out
    assert "angle" in command("schema", url, "--at", "2").out
    assert "angle" not in command("schema", url).out
    done = command("query", url, "--at", "99")
    assert (done.code, done.out) == (1, "")
    assert "at='99' is not a version" in done.err


def test_an_older_version_is_copied(command, kept, url, tmp_path):
    then = zc.open_collection(url, at=2)
    assert command("copy", url, tmp_path / "copy", "--at", "2", "--data").code == 0
    copy = zc.open_collection(tmp_path / "copy")
    assert copy.query().to_xarray().identical(then.query().to_xarray())
    assert copy.count() > kept.count()


def test_an_older_version_of_a_view_is_read_over_the_newest_base(command, kept, url, tmp_path):
    view = zc.create_view(tmp_path / "view", base=kept, computation=zc.computation.Expression({"twice": "angle * ssh"}))
    view.retain(9)
    view.refresh()
    version = view.history()[-1].version
    kept.update(lambda rows: {"ssh": rows["ssh"].to_numpy() + 1}, filters="day == 31")
    view.refresh()
    assert json.loads(command("info", view.store.url, "--json").out)["status"]["stale"] == 0
    old = json.loads(command("info", view.store.url, "--at", version, "--json").out)
    assert old["status"]["stale"] == len(zc.open_view(view.store.url, at=version).status().stale) == 1
