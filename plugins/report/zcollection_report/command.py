"""The command ``zcollection report``: a report of a collection or a view as one HTML file."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

import zcollection
from zcollection.cli.plugin import AsJson, StorageOptions, options_of, write_json, write_lines
from zcollection.errors import SettingError
from zcollection.plugin import format_bytes, kind_at, synchronous
from zcollection_report.report import SAMPLE, report


def command(
    url: Annotated[str, typer.Argument(metavar="URL", help="URL of the collection or the view, or a local path.")],
    *,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")] = "report.html",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    every: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="Expected step from a row to the next, as for 'zcollection coverage'."),
    ] = None,
    gap: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="The largest step that does not count as a gap.")
    ] = None,
    sample: Annotated[
        str,
        typer.Option(metavar="PARTITIONS", help="The number of partitions to check for health and sizes, or 'all'."),
    ] = f"{SAMPLE}",
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Title of the report.")] = None,
    show: Annotated[
        str, typer.Option("--open", metavar="yes|no", help="Whether to open the report in a browser.")
    ] = "no",
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Write a report of a collection or a view as one HTML file, which needs no network."""
    if show not in {"yes", "no"}:
        message = f"--open {show}; accepted: yes or no"
        raise SettingError(message)
    if Path(output).exists() and not overwrite:
        message = f"the file {output!r} already exists; accepted: another name, or --overwrite"
        raise SettingError(message)
    options = options_of(storage_option)
    is_view = synchronous(kind_at)(url, storage_options=options) == "view"
    opened = (zcollection.open_view if is_view else zcollection.open_collection)(url, mode="r", storage_options=options)
    created = report(opened, every=_step(every), gap=_step(gap), sample=_sample(sample), title=title)
    path = created.save(output)
    size = path.stat().st_size
    if as_json:
        write_json({"file": output, "bytes": size, "title": created.title})
    else:
        write_lines([f"{output}  {format_bytes(size)}"])
    if show == "yes":
        webbrowser.open(path.resolve().as_uri())


def _sample(text: str) -> int | None:
    if text == "all":
        return None
    try:
        return int(text)
    except ValueError as error:
        message = f"--sample {text}; accepted: an integer of at least 1, or 'all'"
        raise SettingError(message) from error


def _step(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
