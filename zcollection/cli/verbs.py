"""The verbs of the command line: built-in ones and those of other distributions, each imported when it is used."""

import importlib
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import typer
import typer.main
from typer.core import TyperGroup

from zcollection.cli import failures
from zcollection.errors import BrokenPluginError, PluginConflictError
from zcollection.registry.discovery import is_allowed
from zcollection.registry.registry import Row

GROUP: Final = "zcollection.commands"
"""Group of the entry points by which other distributions add verbs."""

_PACKAGE: Final = "zcollection.cli"

BUILT_IN: Final[Mapping[str, str]] = {
    "create": "creating:create",
    "insert": "inserting:insert",
    "query": "querying:query",
    "head": "querying:head",
    "find": "finding:find",
    "count": "finding:count",
    "stats": "statistics:stats",
    "update": "changing:update",
    "delete": "changing:delete",
    "drop": "changing:drop",
    "repartition": "reshaping:repartition",
    "rewrite": "reshaping:rewrite",
    "info": "info:info",
    "schema": "schemas:schema",
    "ls": "listing:ls",
    "tree": "tree:tree",
    "history": "versions:history",
    "changes": "versions:changes",
    "diff": "versions:diff",
    "rollback": "versions:rollback",
    "tag": "versions:tag",
    "retain": "versions:retain",
    "follow": "following:follow",
    "copy": "copying:copy",
    "verify": "repairing:verify",
    "repair": "repairing:repair",
    "vacuum": "repairing:vacuum",
    "view": "view:views",
    "plugins": "plugins:plugins",
    "demo": "demo.command:demo",
}
"""Module and function of each built-in verb, in the order of the help."""


class Verbs(TyperGroup):
    """All verbs, by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, the built-in ones first."""
        del ctx
        return [*BUILT_IN, *(name for name in added() if name not in BUILT_IN)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb, or None if there is no such verb; a verb that cannot be loaded reports why when it is called."""
        del ctx
        markup = self.rich_markup_mode
        if cmd_name in BUILT_IN:
            return command_of(cmd_name, built_in(cmd_name), markup)
        found = added().get(cmd_name)
        if found is None:
            return None
        try:
            return loaded(cmd_name, found, markup)
        except (BrokenPluginError, PluginConflictError) as error:
            return _failing(cmd_name, error, markup)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the verb that the arguments begin with; the error for an unknown verb suggests the nearest name."""
        if args[0] not in BUILT_IN:
            self.commands = dict.fromkeys(self.list_commands(ctx))  # type: ignore[assignment]  # for their names
        return super().resolve_command(ctx, args)


def command_of(name: str, verb: Any, markup: Any = None) -> Any:
    """Return a function, or a group of several, as a command."""
    if isinstance(verb, typer.Typer):
        app = verb
        app.rich_markup_mode = markup
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=markup)
        app.command(name)(failures.reported(verb))
    command = typer.main.get_command(app)
    command.name = name
    return command


def _failing(name: str, error: Exception, markup: Any) -> Any:
    """Return a command that raises the error for which a verb could not be loaded."""

    def verb() -> None:
        raise error

    app = typer.Typer(add_completion=False, rich_markup_mode=markup)
    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(name, help=f"(cannot be used: {error})", context_settings=anything)(failures.reported(verb))
    return typer.main.get_command(app)


def built_in(name: str) -> Any:
    """Return a built-in verb."""
    module, _, attribute = BUILT_IN[name].partition(":")
    return getattr(importlib.import_module(f"{_PACKAGE}.{module}"), attribute)


def added() -> dict[str, list[EntryPoint]]:
    """Return the entry points of added verbs by name, without those that the environment disables."""
    installed = {(entry.name, *_provider(entry)): entry for entry in entry_points(group=GROUP)}
    found: dict[str, list[EntryPoint]] = {}
    for _, entry in sorted(installed.items()):
        if is_allowed(entry):
            found.setdefault(entry.name, []).append(entry)
    return found


def loaded(name: str, found: Sequence[EntryPoint], markup: Any = None) -> Any:
    """Return the command that other distributions add under a name.

    Raises
    ------
    PluginConflictError
        Several distributions add it, or it is the name of a built-in verb.
    BrokenPluginError
        The command cannot be imported, or is not a function that Typer accepts.
    """
    sources = [_provider(entry)[0] for entry in found]
    if name in BUILT_IN or len(sources) > 1:
        who = ", ".join((["zcollection"] if name in BUILT_IN else []) + sources)
        message = (
            f"the command {name!r} is provided by several distributions: {who}; disable all but one of them with the "
            f"environment variable ZCOLLECTION_DISABLE_PLUGINS"
        )
        raise PluginConflictError(message)
    (entry,) = found
    what = f"the command {name!r} is provided by {sources[0]}, but {entry.value}"
    try:
        verb = entry.load()
    except Exception as error:
        message = f"{what} cannot be imported ({type(error).__name__}: {error}); repair or reinstall that distribution"
        raise BrokenPluginError(message) from error
    try:
        if not callable(verb):
            raise TypeError(f"it is a {type(verb).__name__}")  # noqa: TRY301 - it becomes the message below
        return command_of(name, verb, markup)
    except Exception as error:
        message = f"{what} is not a command ({type(error).__name__}: {error}); report this to the plugin's author"
        raise BrokenPluginError(message) from error


def rows() -> list[Row]:
    """Return the rows of ``zcollection plugins`` for the verbs that other distributions add."""
    return [_row(name, entry, found) for name, found in added().items() for entry in found]


def _row(name: str, entry: EntryPoint, found: Sequence[EntryPoint]) -> Row:
    summary, status = "", "ok"
    try:
        summary = (loaded(name, found).help or "").strip().partition("\n")[0]
    except PluginConflictError:
        status = "conflict"
    except BrokenPluginError as error:
        status = f"failed: {error}"
    distribution, version = _provider(entry)
    return Row(family="command", name=name, distribution=distribution, version=version, status=status, summary=summary)


def _provider(entry: EntryPoint) -> tuple[str, str]:
    return ("", "") if entry.dist is None else (entry.dist.name, entry.dist.version)
