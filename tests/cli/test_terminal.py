"""On a terminal Rich draws; nothing is left out there either."""

import json
import sys

import pytest

from zcollection.cli import output
from zcollection.cli.output import Node, write_json, write_lines, write_table, write_tree

WORDS = [f"word{number}" for number in range(40)]


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def terminal(request, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: request.param)
    monkeypatch.setenv("COLUMNS", "40")
    return request.param


def test_a_tree_keeps_every_label(terminal, capsys):
    write_tree(Node("root", (Node(" ".join(WORDS), (Node("[bold]leaf"),)), Node("last"))))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1].endswith(" ".join(WORDS))
    assert "[bold]leaf" in lines[2]


def test_a_table_keeps_every_character(terminal, capsys):
    write_table(["path", "rows"], [["x" * 100, "7"], ["[s]", "12"]], numeric={"rows"})
    out = capsys.readouterr().out
    assert out.count("x") == 100
    assert "[s]" in out
    assert "…" not in out
    assert len(out.splitlines()) == 3 or terminal


def test_in_a_pipe_rich_is_not_even_imported(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    output.write_table(["a"], [["b"]])
    output.write_tree(Node("a", (Node("b"),)))
    assert capsys.readouterr().out == "a\nb\na\n└── b\n"


STRANGE = "\x1b[31m\x9b\r\n\u202e\ud800\x7f"
ESCAPED = r"\x1b[31m\x9b\r\n\u202e\ud800\x7f"


def test_what_is_written_drives_no_terminal_and_is_no_markup(terminal, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("NO_COLOR", "1")
    write_lines([f"line {STRANGE}[red]"])
    write_table(["path"], [[f"cell {STRANGE}[red]"]])
    write_tree(Node(f"root {STRANGE}[red]", (Node(f"leaf {STRANGE}[red]"),)))
    out = capsys.readouterr().out
    for name in ("line", "cell", "root", "leaf"):
        assert f"{name} {ESCAPED}[red]" in out
    assert not any(each in out for each in "\x9b\r\u202e\ud800\x7f")


def test_json_is_plain_ascii_and_what_was_given(capsys):
    write_json({"title": STRANGE})
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.replace("\n", "").isprintable()
    assert json.loads(out) == {"title": STRANGE}
