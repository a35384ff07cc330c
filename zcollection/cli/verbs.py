"""The verbs of the command line, ours and those of other distributions: each is imported when it is asked for."""

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

OURS: Final[Mapping[str, str]] = {
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
"""Where our verbs are, in the order of the help."""


class Verbs(TyperGroup):
    """All verbs, by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, ours first."""
        del ctx
        return [*OURS, *(name for name in added() if name not in OURS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb, None where there is none of the name; one that cannot be used says why when it is called."""
        del ctx
        markup = self.rich_markup_mode
        if cmd_name in OURS:
            return command_of(cmd_name, ours(cmd_name), markup)
        found = added().get(cmd_name)
        if found is None:
            return None
        try:
            return loaded(cmd_name, found, markup)
        except (BrokenPluginError, PluginConflictError) as error:
            return _failing(cmd_name, error, markup)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the verb that the arguments begin with; for one that is misspelt the error names the nearest."""
        if args[0] not in OURS:
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
    """Return a command that says why there is none of the name."""

    def verb() -> None:
        raise error

    app = typer.Typer(add_completion=False, rich_markup_mode=markup)
    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(name, help=f"(cannot be used: {error})", context_settings=anything)(failures.reported(verb))
    return typer.main.get_command(app)


def ours(name: str) -> Any:
    """Return one of our verbs."""
    module, _, attribute = OURS[name].partition(":")
    return getattr(importlib.import_module(f"{_PACKAGE}.{module}"), attribute)


def added() -> dict[str, list[EntryPoint]]:
    """Return who adds which verb, by name, as far as the environment lets them."""
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
        Several add it, or it is one of ours.
    BrokenPluginError
        It cannot be imported, or is no function that Typer takes.
    """
    sources = [_provider(entry)[0] for entry in found]
    if name in OURS or len(sources) > 1:
        who = ", ".join((["zcollection"] if name in OURS else []) + sources)
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
        message = f"{what} is no command ({type(error).__name__}: {error}); report this to the plugin's author"
        raise BrokenPluginError(message) from error


def rows() -> list[Row]:
    """Return what ``zcollection plugins`` says of the verbs that other distributions add."""
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
