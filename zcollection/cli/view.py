"""``zcollection view``: show which partitions of a view are current, and compute those that are not."""

from typing import Annotated

import typer
from attrs import asdict

import zcollection
from zcollection.cli import failures
from zcollection.cli.opening import AsJson, Base, BaseOptions, Filter, StorageOptions, options_of
from zcollection.cli.output import write_json, write_lines
from zcollection.contracts.store import Mode
from zcollection.view.view import View

URL = Annotated[str, typer.Argument(metavar="URL", help="URL of the view, or a local path.")]
NOT_CURRENT = 1
_KINDS = ("stale", "missing", "orphaned")


def status(
    url: URL,
    *,
    filters: Filter = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show which partitions a refresh would compute or drop; exits with 1 if there are any."""
    found = _open(url, "r", base, storage_option, base_option).status(filters=filters)
    if as_json:
        write_json(asdict(found))
    else:
        lines = [f"{kind:<8}  {path}" for kind in _KINDS for path in getattr(found, kind)]
        counts = ", ".join(f"{len(getattr(found, kind)):,} {kind}" for kind in ("current", *_KINDS))
        write_lines([*lines, counts])
    if not found.is_current:
        raise typer.Exit(NOT_CURRENT)


def refresh(
    url: URL,
    *,
    filters: Filter = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also compute current partitions.")] = False,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Compute the partitions that are not current, and drop those that no longer exist in the base."""
    view = _open(url, "rw", base, storage_option, base_option)
    report = view.refresh(filters=filters, everything=everything, progress=not as_json)
    if as_json:
        write_json(asdict(report))
    else:
        lines = [f"computed  {path}" for path in report.computed] + [f"dropped   {path}" for path in report.dropped]
        waiting = [f"waiting   {path}" for path in report.waiting]
        counts = f"{len(report.computed):,} computed, {len(report.dropped):,} dropped"
        advice = "; the view has no computation: compute the waiting partitions with View.update()" if waiting else ""
        write_lines([*lines, *waiting, counts + advice])
    if report.waiting:
        raise typer.Exit(NOT_CURRENT)


def _open(url: str, mode: Mode, base: str | None, options: list[str] | None, base_options: list[str] | None) -> View:
    return zcollection.open_view(
        url, mode=mode, base=base, storage_options=options_of(options), base_options=options_of(base_options)
    )


views = typer.Typer(
    no_args_is_help=True, help="Show the status of views over collections, and compute partitions that are not current."
)
for _command in (status, refresh):
    views.command()(failures.reported(_command))
