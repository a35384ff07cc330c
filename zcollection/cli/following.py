"""``zcollection follow``: versions as they are committed, each handed to a command."""

import json
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from attrs import asdict

from zcollection.cli.opening import URL, AsJson, Base, BaseOptions, StorageOptions, open_source
from zcollection.cli.output import write_lines
from zcollection.cli.versions import label_of
from zcollection.portal import run
from zcollection.transaction.reports import Committed, Label


def follow(
    url: URL,
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="VERSION", help="Begin after this version; 0 for all. By default with those to come."
        ),
    ] = None,
    every: Annotated[
        str, typer.Option("--every", metavar="TIME", help="Time between two looks, such as 10s or 5min.")
    ] = "10s",
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="CMD",
            help="A shell command for each version, which has it as JSON on its standard input, and its number in the "
            "variable ZCOLLECTION_VERSION. Where it fails, following ends with its exit code.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FILE",
            help="Where the last version that was dealt with is kept: the next call goes on there.",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End where nothing is new, instead of waiting.")] = False,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show versions as they are committed, with the partitions that each changed, or hand them to a command.

    With --json each is one line of JSON.
    """
    collection = open_source(url, storage_option, base, base_option)
    begin = _first(state, since)
    if state is not None and begin is None:
        begin = collection.history()[-1].version
        _keep(state, begin)
    following = collection.follow(since=begin, every=every)
    versions = run(following.new) if once else following
    for version in versions:
        _deal_with(version, command, as_json=as_json)
        if state is not None:
            _keep(state, version.version)


def _first(state: Path | None, since: str | None) -> Label | None:
    """Return the version after which to begin."""
    kept = _kept(state)
    return label_of(since) if kept is None and since is not None else kept


def _kept(state: Path | None) -> Label | None:
    """Return the version that was dealt with last; None where that is not known yet.

    Raises
    ------
    typer.BadParameter
        The file holds something else.
    """
    if state is None or not state.exists():
        return None
    try:
        label: Label = json.loads(state.read_text(encoding="utf-8"))["version"]
    except (ValueError, TypeError, KeyError) as error:
        message = (
            f"{state} holds no version; remove it to begin with the versions to come, or give --since and another file"
        )
        raise typer.BadParameter(message, param_hint="--state") from error
    return label


def _keep(state: Path, version: Label) -> None:
    """Keep the version that was dealt with, whole at any time."""
    beside = state.with_name(f"{state.name}.new")
    beside.write_text(json.dumps({"version": version}), encoding="utf-8", newline="\n")
    beside.replace(state)


def _deal_with(version: Committed, command: str | None, *, as_json: bool) -> None:
    if command is None:
        write_lines([_json(version)] if as_json else _lines(version))
        return
    environment = os.environ | {"ZCOLLECTION_VERSION": str(version.version)}
    code = subprocess.run(command, shell=True, env=environment, input=_json(version), text=True, check=False).returncode  # noqa: S602 - the user's own
    if code:
        raise typer.Exit(code)


def _json(version: Committed) -> str:
    return json.dumps(asdict(version))


def _lines(version: Committed) -> list[str]:
    head = f"version {version.version}  {version.time}  {version.operation}"
    source = [] if version.source is None else [f"  source   {version.source}"]
    written = [f"  written  {path}" for path in version.written]
    return [head, *source, *written, *(f"  dropped  {path}" for path in version.dropped)]
