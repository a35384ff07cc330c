"""Every command takes a local path, in which ``~`` is the home directory and ``%20`` itself, and the URL that it prints."""

import json

import pytest

import zcollection as zc


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


COMMANDS = [("info",), ("ls",), ("tree",), ("verify",), ("repair",), ("vacuum",)]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_finds_a_collection_by_its_path(command, make, arguments):
    collection = make(name="of%20 days")
    for place in ("~/of%20 days", collection.store.url):
        assert command(*arguments, place).code == 0


def test_a_copy_and_a_view_are_found_by_theirs(command, make, home):
    make(name="a%20b")
    assert command("copy", "~/a%20b", "~/c%20d").code == 0
    zc.create_view(
        "~/view %", base="~/c%20d", computation=zc.computation.Expression({"twice": "ssh * 2"}, dtype="float32")
    )
    for view in ("~/view %", f"file://localhost{home}/view%20%25"):
        assert command("view", "refresh", view, "--base", "~/a%20b").code == 0
        assert command("view", "status", view).code == 1, "its own base is the copy"
    assert sorted(path.name for path in home.iterdir()) == ["a%20b", "c%20d", "view %"]


def test_what_is_printed_opens_the_collection_again(command, make):
    make(name="of%20 days#?")
    for shown in ("info", "tree"):
        url = json.loads(command(shown, "~/of%20 days#?", "--json").out)["url"]
        assert command("info", url).code == 0
