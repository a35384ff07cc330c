"""Other distributions add verbs; one that is broken breaks no other."""

import json
import sys
from importlib.metadata import Distribution, EntryPoint
from types import ModuleType

import pytest

from zcollection.cli import verbs
from zcollection.cli.plugin import URL, AsJson, StorageOptions, open_to_read, write_json, write_lines


class Installed(Distribution):
    """A distribution that exists for a test."""

    def __init__(self, name):
        self._name = name

    def read_text(self, filename):
        return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 7.0\n" if filename == "METADATA" else None

    def locate_file(self, path):
        return path


def shape(url: URL, *, storage_option: StorageOptions = None, as_json: AsJson = False) -> None:
    """Show how many rows there are.

    More is not to be said.
    """
    rows = sum(record.rows for record in open_to_read(url, storage_option).records().values())
    if as_json:
        write_json({"rows": rows})
    else:
        write_lines([f"{rows} rows"])


@pytest.fixture
def install(monkeypatch):
    """Return a function that adds verbs as (name, value, distribution)."""
    module = ModuleType("verbs_of_a_test")
    module.shape, module.number = shape, 3
    monkeypatch.setitem(sys.modules, "verbs_of_a_test", module)

    def add(*entries):
        found = [EntryPoint(name, value, verbs.GROUP)._for(Installed(who)) for name, value, who in entries]
        monkeypatch.setattr(verbs, "entry_points", lambda group: [e for e in found if e.group == group])

    return add


def test_a_verb_of_another_distribution_is_a_verb(command, install, url, collection):
    install(("shape", "verbs_of_a_test:shape", "zcollection-shape"))
    assert command("shape", url) == (0, f"{collection.count()} rows\n", "")
    assert json.loads(command("shape", url, "--json").out) == {"rows": collection.count()}
    assert "Show how many rows there are." in command("--help").out
    assert "--storage-option" in command("shape", "--help").out


def test_its_errors_are_one_line(command, install, tmp_path):
    install(("shape", "verbs_of_a_test:shape", "zcollection-shape"))
    done = command("shape", tmp_path / "nothing")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: there is no collection")
    assert done.err.count("\n") == 1


BROKEN = [
    ("broken", "no_such_module_of_ours:verb", "cannot be imported (ModuleNotFoundError"),
    ("broken", "verbs_of_a_test:nothing", "cannot be imported (AttributeError"),
    ("broken", "verbs_of_a_test:number", "is not a command (TypeError: it is a int)"),
]


@pytest.mark.parametrize(("name", "value", "why"), BROKEN)
def test_a_broken_verb_says_so_and_breaks_no_other(command, install, url, name, value, why):
    install((name, value, "zcollection-broken"), ("shape", "verbs_of_a_test:shape", "zcollection-shape"))
    done = command(name, url, "--whatever")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: the command 'broken' is provided by zcollection-broken, but ")
    assert why in done.err
    assert command("shape", url).code == 0
    assert "cannot be used" in command("--help").out
    rows = {row["name"]: row for row in json.loads(command("plugins", "--json").out) if row["family"] == "command"}
    assert why in rows["broken"]["status"]
    assert rows["shape"] == {
        "family": "command",
        "name": "shape",
        "distribution": "zcollection-shape",
        "version": "7.0",
        "status": "ok",
        "summary": "Show how many rows there are.",
    }


def test_a_verb_that_two_distributions_add_is_a_conflict(command, install, url):
    install(("shape", "verbs_of_a_test:shape", "one"), ("shape", "verbs_of_a_test:shape", "two"))
    done = command("shape", url)
    assert done.code == 1
    assert "provided by several distributions: one, two" in done.err
    assert "conflict" in command("plugins").out


def test_a_verb_of_ours_stays_ours(command, install, url):
    install(("ls", "verbs_of_a_test:shape", "zcollection-shape"))
    assert "rows" not in command("ls", url).out
    assert [row["status"] for row in json.loads(command("plugins", "--json").out) if row["family"] == "command"] == [
        "conflict"
    ]


def test_the_environment_turns_verbs_off(command, install, url, monkeypatch):
    install(("shape", "verbs_of_a_test:shape", "zcollection-shape"))
    monkeypatch.setenv("ZCOLLECTION_DISABLE_PLUGINS", "zcollection-shape")
    assert command("shape", url).code == 2


def test_a_verb_of_another_distribution_is_not_imported_before_it_is_called(command, install, url):
    install(("broken", "no_such_module_of_ours:verb", "zcollection-broken"))
    assert command("ls", url).err == ""


def test_a_misspelt_verb_is_told_the_nearest(command):
    assert "'info'" in command("infa", "x").err
