"""Names, attributes, keys and sources that would drive a terminal, or that Rich would take for markup, in every verb that shows them."""

import re
import sys

import pictured
import pytest

VERBS = (
    ("info",),
    ("schema",),
    ("ls",),
    ("ls", "--long"),
    ("tree", "--all"),
    ("history",),
    ("changes", "--since", "0"),
    ("head", "--variables", "time,station"),
    ("query", "--variables", "time,station", "--limit", "500"),
    ("find", "--where", "lat > 0"),
    ("count", "--where", "lat > 0"),
    ("stats", "--variables", "time,station"),
    ("coverage",),
    ("verify",),
    ("drop", "--filter", "station != 'w1'", "--dry-run"),
    ("delete", "--where", "lat > 0", "--dry-run"),
    ("update", "--set", "v0 = 1", "--dry-run"),
    ("head", "--variables", "\x1b[31m[red]"),
    ("ls", "--filter", "station == '\x1b[31m[red]' or"),
    ("report", "--output", "{folder}/report.html", "--overwrite"),
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    place = tmp_path_factory.mktemp("hostile") / "c"
    pictured.hostile(place)
    return str(place)


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("is_terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_verb_lets_a_control_character_through(command, hostile, monkeypatch, tmp_path, verb, is_terminal, as_json):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("COLUMNS", "4000")
    monkeypatch.setenv("NO_COLOR", "1")
    name, *options = (part.format(folder=tmp_path) for part in verb)
    done = command(name, hostile, *options, *(["--json"] if as_json else []))
    for text in (done.out, done.err):
        # What Rich itself writes is bold and dim, and nothing that was quoted.
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text) if is_terminal and not as_json else text
        assert plain.replace("\n", "").isprintable()
        assert "\x1b[31m" not in text
    if done.code == 0 and name in {"ls", "tree", "history"} and not as_json:
        assert "[red]bold[/red]" in done.out or "%5Bred%5Dbold" in done.out
