"""What the sources must not depend on, so that macOS and Windows run them as well; see docs/decisions/0034-platforms.md."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in (ROOT / "zcollection", *(ROOT / "plugins").glob("*/zcollection_*"))
    for path in folder.rglob("*.py")
)
POSIX_MODULES = frozenset({"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"})
FILE_SYSTEM = "plugins/store-file/zcollection_store_file/"
"""The one place with calls that some system lacks: tests/support/systems.py plays these systems."""


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node, {keyword.arg: keyword.value for keyword in node.keywords}


@pytest.fixture(params=SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def source(request):
    return request.param


def test_a_text_file_has_an_encoding_and_line_feeds(source):
    for name, node, given in calls(ast.parse(source.read_text(encoding="utf-8"))):
        if name == "write_text" or (name == "read_text" and not node.args):  # one with a name is of a distribution
            assert "encoding" in given, f"line {node.lineno}: the code page of Windows decides"
        if name == "write_text":
            assert "newline" in given, f"line {node.lineno}: Windows writes other line ends"


def test_no_module_of_posix_is_needed(source):
    if source.is_relative_to(ROOT / FILE_SYSTEM):
        return
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not POSIX_MODULES & {name.partition(".")[0] for name in names}, f"line {node.lineno}"
