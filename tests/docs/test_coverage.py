"""Nothing public is undocumented: names, hooks, errors, settings, commands, plugins."""

import inspect
import re
from pathlib import Path

import pluggy
import pytest
import typer.main
from pages import DOCS, PAGES, ROOT

import zcollection as zc
from zcollection import aio, codecs, config, errors, plugin, testing
from zcollection.cli import plugin as cli_plugin
from zcollection.cli.app import build
from zcollection.registry import hookspecs
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY

TEXTS = {page: page.read_text() for page in PAGES}
REFERENCE = "\n".join(text for page, text in TEXTS.items() if "reference" in page.parts)
GUIDE = "\n".join(text for page, text in TEXTS.items() if "plugins" in page.parts)
ALL = "\n".join(TEXTS.values())


def described():
    """The names for which the reference has an entry of its own, by their last part."""
    directives = re.findall(r"^\.\. auto(?:class|function|exception|data):: (\S+)", REFERENCE, flags=re.MULTILINE)
    return {name.rpartition(".")[2] for name in directives}


MODULES = {"aio", "codecs", "computation", "config", "errors", "merge", "partitioning", "rows"}
ERRORS = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}


def test_every_public_name_has_an_entry():
    assert set(zc.__all__) - described() - MODULES - ERRORS == set()
    assert {"automodule:: zcollection.errors", "automodule:: zcollection.config"} <= set(
        re.findall(r"automodule:: zcollection\.(?:errors|config)", REFERENCE)
    )


@pytest.mark.parametrize("module", [aio, codecs, cli_plugin, plugin, testing], ids=lambda module: module.__name__)
def test_every_name_of_a_public_module_is_in_the_reference(module):
    names = set(module.__all__)
    code = set(re.findall(r"`(\w+)(?:\(.*?\))?`", REFERENCE))
    assert names - described() - code - ERRORS == set()


@pytest.mark.parametrize("family", Family)
def test_each_hook_is_documented_with_its_exact_signature(family):
    hook = getattr(hookspecs, family.hook)
    assert f".. autofunction:: {family.hook}" in REFERENCE
    signature = f"def {family.hook}{inspect.signature(hook)}".replace(
        "collections.abc.Iterable[zcollection.registry.hookspecs.Provides]", "Iterator[Provides]"
    )
    assert f"{signature}:" in GUIDE, f"the guide has no {signature}"


def test_there_are_no_other_hooks():
    manager = pluggy.PluginManager("zcollection")
    manager.add_hookspecs(hookspecs)
    hooks = {name for name in vars(manager.hook) if not name.startswith("_")}
    assert hooks == {family.hook for family in Family}


def test_every_error_is_in_the_tree_that_the_page_shows():
    tree = errors.__doc__
    warnings = {name for name in ERRORS if issubclass(getattr(errors, name), Warning)}
    assert [name for name in sorted(ERRORS - warnings) if name not in tree] == []
    assert [name for name in sorted(ERRORS) if not inspect.getdoc(getattr(errors, name))] == []


def environment_variables():
    """Every variable of ours that the sources name."""
    found = set()
    for file in (*(ROOT / "zcollection").rglob("*.py"), *(ROOT / "plugins").glob("*/zcollection_*/**/*.py")):
        found |= set(re.findall(r"\bZCOLLECTION_[A-Z_]+\b", file.read_text()))
    return found


def test_every_environment_variable_is_documented():
    page = (DOCS / "reference" / "configuration.md").read_text()
    assert {name for name in environment_variables() if f"`{name}`" not in page} == set()


def test_every_setting_of_a_program_is_documented():
    assert [name for name in inspect.signature(config.using).parameters if f"`{name}`" not in ALL] == []


def test_every_command_and_option_is_documented():
    page = (DOCS / "reference" / "command-line.md").read_text()
    for name, command in commands_of(typer.main.get_command(build())):
        assert f"`zcollection {name}" in page
        for option in {option for parameter in command.params for option in parameter.opts if option.startswith("--")}:
            assert option in page, f"{name} {option}"


def commands_of(group, before=""):
    """Every command, by the words that call it."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{before}{name} ")
        else:
            yield before + name, command


PAGE_OF = {
    Family.PARTITIONING: "strategies.md",
    Family.MERGE: "strategies.md",
    Family.STORE: "stores.md",
    Family.VIEW: "views.md",
}


@pytest.mark.parametrize("family", Family)
def test_every_plugin_of_ours_is_documented(family):
    reference = (DOCS / "reference" / PAGE_OF[family]).read_text()
    for provider in REGISTRY.inventory.providers:
        if provider.family is family and provider.distribution.startswith("zcollection-"):
            name = provider.provides.name if family is Family.STORE else provider.provides.target.partition(":")[2]
            assert name in reference, f"{provider.distribution} is not in the reference"


@pytest.mark.parametrize("name", sorted(plugin.__all__))
def test_what_a_plugin_imports_has_a_docstring(name):
    value = getattr(plugin, name)
    assert not (inspect.isclass(value) or inspect.isfunction(value)) or inspect.getdoc(value)


def test_links_to_files_of_the_repository_lead_somewhere():
    links = [(page, link) for page, text in TEXTS.items() for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)]
    inner = [(page, link) for page, link in links if not link.startswith(("http", "mailto"))]
    assert [(page.name, link) for page, link in inner if not Path(page.parent, link).exists()] == []
