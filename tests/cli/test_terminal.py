"""On a terminal Rich draws; nothing is left out there either."""

import sys

import pytest

from zcollection.cli import output
from zcollection.cli.output import Node, write_table, write_tree

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
