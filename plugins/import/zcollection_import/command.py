"""``zcollection import``: what others wrote becomes a collection, and is compared with it."""

from typing import Annotated

import typer
from attrs import asdict

from zcollection.cli.plugin import AsJson, StorageOptions, TargetOptions, options_of, write_json, write_lines
from zcollection.plugin import check_choice
from zcollection_import.importing import BLOCK_BYTES, run


def command(
    old: Annotated[str, typer.Argument(metavar="OLD", help="URL, or local path, of what is to be imported.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="URL, or local path, of the new collection.")],
    *,
    axis: Annotated[str | None, typer.Option("--axis", help="Variable that orders the rows.")] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="How rows are split: date:M, sequence:cycle,pass, values:platform …", metavar="HOW"),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="NAME", help="Variable to leave out; repeat it for more.")
    ] = None,
    unknown: Annotated[
        str, typer.Option("--unknown", help="Variables that only later files have: raise, drop or add.")
    ] = "raise",
    missing: Annotated[str, typer.Option("--missing", help="Variables that a file lacks: raise or fill.")] = "raise",
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not compare in the end.")] = False,
    storage_option: StorageOptions = None,
    target_option: TargetOptions = None,
    as_json: AsJson = False,
) -> None:
    """Make a collection of what others wrote; run again, it goes on. Exits with 1 if the new one is not the same."""
    check_choice("unknown", unknown, ("raise", "drop", "add"))
    check_choice("missing", missing, ("raise", "fill"))
    report = run(
        old,
        new,
        axis=axis,
        partitioning=by,
        drop=drop or (),
        unknown=unknown,  # type: ignore[arg-type]  # checked
        missing=missing,  # type: ignore[arg-type]  # checked
        verify=not no_verify,
        block_bytes=BLOCK_BYTES,
        storage_options=options_of(storage_option),
        target_options=options_of(target_option),
        progress=not as_json,
    )
    problems = report.problems or ()
    if as_json:
        facts = asdict(report, recurse=False) | {"notes": list(report.notes)}
        compared = None if report.problems is None else [asdict(problem) for problem in problems]
        write_json(facts | {"problems": compared})
    else:
        write_lines([*map(str, problems), *(f"note: {note}" for note in report.notes), str(report)])
    if problems:
        raise typer.Exit(1)
