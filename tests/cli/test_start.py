"""The command line starts, and costs nothing to those who do not use it."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

import zcollection as zc
import zcollection.cli


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500, check=False)


def test_importing_zcollection_imports_no_library_of_the_command_line():
    done = python("import sys, zcollection, zcollection.cli; print({'typer', 'rich', 'click'} & set(sys.modules))")
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_without_its_libraries_it_names_the_extra(library):
    hidden = f"import sys; sys.modules[{library!r}] = None; sys.argv[1:] = ['plugins']\n"
    done = python(f"{hidden}from zcollection.cli import main; main()")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "pip install 'zcollection[cli]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_entry_point_is_main():
    (script,) = entry_points(group="console_scripts", name="zcollection")
    assert script.load() is zcollection.cli.main


def test_version(command):
    assert command("--version") == (0, f"zcollection {zc.__version__}\n", "")


def test_help_names_every_command(command):
    done = command("--help")
    assert done.code == 0
    for name in ("plugins", "info", "ls", "tree", "demo"):
        assert f"  {name} " in done.out


def test_help_of_a_command_names_its_options(command):
    shown = command("ls", "--help").out
    for option in ("--filter", "--long", "--json", "--storage-option"):
        assert option in shown
