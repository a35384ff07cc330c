"""``zcollection plugins``: list plugins, check a distribution, and diagnose which plugins fail or are missing."""

from collections.abc import Sequence
from typing import Annotated, Any

import attrs
import typer

from zcollection.cli import failures, plugin_doctor, verbs
from zcollection.cli.opening import AsJson, StorageOptions, options_of
from zcollection.cli.output import write_json, write_lines, write_table
from zcollection.cli.plugin_checks import Finding, Installed, installed, run, title_of
from zcollection.cli.plugin_doctor import Provided
from zcollection.cli.plugin_needs import DEPTH, Inspection, inspect
from zcollection.registry.registry import REGISTRY, Row

PROBLEM = 1
"""Exit code if there is a problem."""

plugins = typer.Typer(help="List the plugins, check a distribution of plugins, or diagnose why one does not work.")


@plugins.callback(invoke_without_command=True)
@failures.reported
def _default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the plugins, check a distribution of plugins, or diagnose why one does not work."""
    if context.invoked_subcommand is None:
        listing(as_json=as_json)
    elif as_json:
        message = f"it comes before {context.invoked_subcommand!r}; accepted: after it"
        raise typer.BadParameter(message, param_hint="--json")


def listing(*, as_json: AsJson = False) -> None:
    """List the plugins: every name, the distribution that provides it, and whether it can be used; the default command."""
    rows = [*REGISTRY.table(), *verbs.rows()]
    if as_json:
        write_json([attrs.asdict(row) for row in rows])
    else:
        header = [attribute.name for attribute in attrs.fields(Row)]
        # The message of a failure may have several lines.
        write_table(header, [[" ".join(text.split()) for text in attrs.astuple(row)] for row in rows])


def check(
    distribution: Annotated[str, typer.Argument(metavar="DIST", help="Name of an installed distribution.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check an installed distribution as zcollection.testing.PluginSuite does; exits with 1 if something is wrong."""
    item = installed(distribution)
    found = run(item)
    count = sum(finding.is_problem for findings in found.values() for finding in findings)
    if as_json:
        write_json(_facts(item, found, count))
    else:
        _write_findings(item, found, count)
    if count:
        raise typer.Exit(PROBLEM)


def _facts(item: Installed, found: dict[str, list[Finding]], count: int) -> dict[str, Any]:
    return {
        "distribution": item.name,
        "version": item.distribution.version,
        "provides": [
            {"family": provider.family.value, **attrs.asdict(provider.provides)} for provider in item.providers
        ],
        "commands": [entry.name for entry in item.commands],
        "checks": [
            {
                "name": name,
                "requires": title_of(name),
                "problems": [finding.message for finding in findings if finding.is_problem],
                "notes": [finding.message for finding in findings if not finding.is_problem],
            }
            for name, findings in found.items()
        ],
        "problems": count,
    }


def _write_findings(item: Installed, found: dict[str, list[Finding]], count: int) -> None:
    for name, findings in found.items():
        has_problem = any(finding.is_problem for finding in findings)
        lines = [f"{'WRONG' if has_problem else 'ok':<5}  {name}: {title_of(name)}"]
        write_lines(lines + [f"       {'' if each.is_problem else 'note: '}{each.message}" for each in findings])
    summary = "nothing is wrong" if not count else f"{count} {'problem' if count == 1 else 'problems'}"
    write_lines([f"{item.name} {item.distribution.version}: {summary}"])


def doctor(
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="Collections, views, or folders of them, whose plugins are checked."),
    ] = None,
    *,
    depth: Annotated[
        int, typer.Option("--depth", min=0, help="Number of levels of folders below a URL that are searched.")
    ] = DEPTH,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show problems of the plugins, and the plugins that collections need; exits with 1 if something is wrong."""
    inspections = [inspect(url, options_of(storage_option), depth=depth) for url in urls or ()]
    provided = plugin_doctor.provided(REGISTRY)
    problems = [*plugin_doctor.problems(REGISTRY), *(each for one in inspections for each in one.problems)]
    disabled, extras, notes = plugin_doctor.disabled(REGISTRY), plugin_doctor.extras(), [*plugin_doctor.notes()]
    if as_json:
        write_json(
            {
                "distributions": _dicts(provided),
                "disabled": _dicts(disabled),
                "extras": _dicts(extras),
                "notes": notes,
                "collections": _dicts([each for one in inspections for each in one.collections]),
                "unseen": [folder for one in inspections for folder in one.not_searched],
                "problems": _dicts(problems),
            }
        )
    else:
        _write_provided(provided)
        write_lines([f"disabled by {each.variable}: {each.entry_point} of {each.distribution}" for each in disabled])
        write_lines([f"extra {each.extra}: without {', '.join(each.missing)}: {each.step}" for each in extras])
        write_lines([f"note: {note}" for note in notes])
        _write_collections(inspections)
        write_lines([f"problem: {problem}" for problem in problems])
        count = len(problems)
        write_lines(["nothing is wrong" if not count else f"{count} {'problem' if count == 1 else 'problems'}"])
    if problems:
        raise typer.Exit(PROBLEM)


def _dicts(items: Sequence[Any]) -> list[dict[str, Any]]:
    return [attrs.asdict(item) for item in items]


def _write_provided(provided: Sequence[Provided]) -> None:
    rows = [[each.distribution, each.version, ", ".join(each.names)] for each in provided]
    write_table(["distribution", "version", "provides"], rows)


def _write_collections(inspections: Sequence[Inspection]) -> None:
    rows = [
        [each.kind, each.url, f"{need.family} {need.name}", need.provided_by or "", "missing" if need.error else "ok"]
        for one in inspections
        for each in one.collections
        for need in each.needs
    ]
    if rows:
        write_table(["kind", "url", "needs", "provided by", "status"], rows)
    write_lines([f"not searched, deeper than --depth: {folder}" for one in inspections for folder in one.not_searched])


for _name, _command in (("list", listing), ("check", check), ("doctor", doctor)):
    plugins.command(_name)(failures.reported(_command))
