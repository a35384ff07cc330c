"""Our own distributions pass the checks of ``zcollection plugins check``, as those of other authors have to."""

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from attrs import evolve

from zcollection.cli.plugin_checks import CHECKS, COMMANDS, installed
from zcollection.registry.hookspecs import PROJECT

PLUGINS = Path(__file__).parents[2] / "plugins"
PROJECTS = {
    project["name"]: project
    for file in sorted(PLUGINS.glob("*/pyproject.toml"))
    for project in [tomllib.loads(file.read_text(encoding="utf-8"))["project"]]
}
PROVIDING = {name for name, project in PROJECTS.items() if {PROJECT, COMMANDS} & project.get("entry-points", {}).keys()}

# "imports" starts a process for each distribution; the suite of each plugin makes that check.
IN_THIS_PROCESS = sorted(CHECKS.keys() - {"imports"})


def problems(item, names):
    return [f"{name}: {finding.message}" for name in names for finding in CHECKS[name](item) if finding.is_problem]


@pytest.mark.parametrize("name", sorted(PROVIDING))
def test_a_distribution_with_entry_points_passes_every_check(name):
    item = installed(name)
    assert item.entry_points or item.commands
    assert problems(item, IN_THIS_PROCESS) == []


@pytest.mark.parametrize("name", sorted(PROJECTS.keys() - PROVIDING))
def test_a_library_without_entry_points_imports_public_modules_only(name):
    item = installed(name)
    assert problems(item, ["entry-points"])
    (package,) = (folder for folder in PLUGINS.glob("*/zcollection_*") if folder.parent.name == folder_of(name))
    library = evolve(item, entry_points=(EntryPoint("library", package.name, PROJECT),))
    assert library.folders == [package]
    assert problems(library, ["kernels", "privacy", "types"]) == []


def folder_of(name):
    return next(
        file.parent.name
        for file in PLUGINS.glob("*/pyproject.toml")
        if tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"] == name
    )
