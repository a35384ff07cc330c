"""``zcollection plugins`` lists what the registry knows, and the verbs that distributions add."""

import json

import attrs

from zcollection.cli import verbs
from zcollection.registry.registry import REGISTRY


def test_json_is_the_table_of_the_registry(command):
    done = command("plugins", "--json")
    assert done.code == 0
    assert json.loads(done.out) == [attrs.asdict(row) for row in [*REGISTRY.table(), *verbs.rows()]]
    assert done.err == ""


def test_the_listing_is_a_command_too(command):
    assert command("plugins", "list", "--json") == command("plugins", "--json")
    assert command("plugins", "list") == command("plugins")


def test_an_option_before_the_command_is_rejected(command):
    done = command("plugins", "--json", "list")
    assert done.code == 2
    assert "accepted: after it" in done.err


def test_every_plugin_has_a_line_with_all_columns(command):
    header, *lines = command("plugins").out.splitlines()
    assert header.split() == ["family", "name", "distribution", "version", "status", "summary"]
    for line, row in zip(lines, [*REGISTRY.table(), *verbs.rows()], strict=True):
        assert line.split()[:3] == [row.family, row.name, row.distribution]
        assert f" {row.version} " in line
        assert f" {row.status} " in f"{line} "
        assert line.endswith(row.summary)


def test_a_plugin_is_listed_with_who_provides_it(command):
    found = {row["name"]: row for row in json.loads(command("plugins", "--json").out)}
    assert found["upsert"]["family"] == "merge"
    assert found["upsert"]["distribution"] == "zcollection-merge-upsert"
    assert found["upsert"]["status"] == "ok"
    assert (found["coverage"]["family"], found["coverage"]["distribution"]) == ("command", "zcollection-coverage")
