"""``zcollection coverage``: a line in a cron job, and a picture in the terminal."""

from typing import Annotated, Any, Final

import attrs
import numpy as np
import typer

from zcollection.cli.plugin import URL, AsJson, Filter, StorageOptions, Where, open_to_read, write_json, write_lines
from zcollection.plugin import bridge
from zcollection_coverage.coverage import Coverage, coverage, in_words, percent
from zcollection_coverage.pictures import picture

INCOMPLETE: Final = 1
"""Exit code where less is there, or a gap is larger, than is allowed."""


def command(
    url: URL,
    *,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Expected step from a row to the next, such as '1 s'; by default what the axis declares, or its most frequent one.",
        ),
    ] = None,
    gap: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="The largest step that is no gap; by default one and a half of --every."),
    ] = None,
    filters: Filter = None,
    where: Where = None,
    fail_under: Annotated[
        float | None,
        typer.Option(
            "--fail-under",
            metavar="PERCENT",
            min=0,
            max=100,
            help="Exit with 1 if less than this share of the expected rows is there.",
        ),
    ] = None,
    max_gap: Annotated[
        str | None, typer.Option("--max-gap", metavar="LENGTH", help="Exit with 1 if a gap is larger, such as '2 h'.")
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw it too, such as coverage.png or coverage.svg (zcollection[plot])."
        ),
    ] = None,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show what is there along the axis and what is missing, without reading values where statistics are kept."""
    collection = open_to_read(url, storage_option)
    found = coverage(collection, every=_step(every), gap=_step(gap), filters=filters, where=where)
    failures = _failures(found, fail_under, max_gap)
    if plot is not None:
        with bridge("plot", "--plot").saved(plot) as figure:
            found.plot(ax=figure)
    if as_json:
        write_json({**_facts(found), "failures": failures})
    else:
        write_lines([*repr(found).splitlines(), *picture(found)])
        for line in failures:
            typer.echo(line, err=True)
    if failures:
        raise typer.Exit(INCOMPLETE)


def _step(text: str | None) -> Any:
    """Return a step as `coverage` takes it: a number where it reads as one."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _failures(found: Coverage, fail_under: float | None, max_gap: str | None) -> list[str]:
    """Return what is less, or larger, than is allowed."""
    total, failures = found.total, []
    if fail_under is not None and (total.share is None or total.share * 100 < fail_under):
        there = (
            "nothing is known of what is expected"
            if total.share is None
            else f"{percent(total.share)} of the expected rows are there"
        )
        failures.append(f"{there}, less than {fail_under:g} %")
    if max_gap is not None and total.gaps and total.largest_gap > found.difference(_step(max_gap), name="--max-gap"):
        failures.append(f"the largest gap is {in_words(total.largest_gap)}, more than {max_gap}")
    return failures


def _facts(found: Coverage) -> dict[str, Any]:
    return {
        "axis": found.axis,
        "every": _json(found.every),
        "every_from": found.every_from,
        "gap": _json(found.gap),
        "total": _record(found.total),
        "gaps": [_record(item) for item in found.gaps],
        "partitions": [_record(item) for item in found.partitions],
        "absent": [dict(key) for key in found.absent],
        "axis_read_of": found.read,
    }


def _record(item: Any) -> dict[str, Any]:
    return {name: _json(value) for name, value in attrs.asdict(item, recurse=False).items() if name != "key"}


def _json(value: Any) -> Any:
    """Return a value as JSON has it: a time as ISO text, a length of time in seconds."""
    if isinstance(value, np.datetime64):
        return in_words(value)
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    return value.item() if isinstance(value, np.generic) else value
