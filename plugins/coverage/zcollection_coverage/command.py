"""``zcollection coverage``: a line in a cron job, and a picture in the terminal."""

from typing import Annotated, Any, Final

import numpy as np
import typer

from zcollection.cli.plugin import URL, AsJson, Filter, StorageOptions, Where, open_to_read, write_json, write_lines
from zcollection.plugin import SettingError, bridge, length_of
from zcollection_coverage.coverage import Coverage, coverage
from zcollection_coverage.pictures import picture
from zcollection_coverage.records import Record, names_of
from zcollection_coverage.words import in_words, percent

INCOMPLETE: Final = 1
"""Exit code where less is there, a gap is larger, or rows are later than is allowed."""


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
    max_lateness: Annotated[
        str | None,
        typer.Option(
            "--max-lateness",
            metavar="LENGTH",
            help="Exit with 1 if a row was brought later than so long after its time, such as '6 h', or of none it is known.",
        ),
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
    failures = [*_incomplete(found, fail_under), *_large(found, max_gap), *_late(found, max_lateness)]
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


def _incomplete(found: Coverage, fail_under: float | None) -> list[str]:
    """Return what is wrong where less is there than is allowed."""
    share = found.total.share
    if fail_under is None or (share is not None and share * 100 >= fail_under):
        return []
    there = (
        "nothing is known of what is expected" if share is None else f"{percent(share)} of the expected rows are there"
    )
    return [f"{there}, less than {fail_under:g} %"]


def _large(found: Coverage, max_gap: str | None) -> list[str]:
    """Return what is wrong where a gap is larger than is allowed."""
    total = found.total
    if max_gap is None or not total.gaps or total.largest_gap <= found.difference(_step(max_gap), name="--max-gap"):
        return []
    return [f"the largest gap is {in_words(total.largest_gap)}, more than {max_gap}"]


def _late(found: Coverage, max_lateness: str | None) -> list[str]:
    """Return what is wrong where a row is later than is allowed.

    Raises
    ------
    SettingError
        It is no length of time, or rows of this axis have no lateness.
    """
    if max_lateness is None:
        return []
    limit, largest = length_of(max_lateness, name="--max-lateness"), found.lateness.largest
    if not found.has_lateness:
        message = f"--max-lateness is {max_lateness!r}, and the axis {found.axis!r} is no time of the clock's calendar; leave it out"
        raise SettingError(message)
    if largest is not None and largest > limit:
        return [f"the largest lateness is {in_words(largest)}, more than {max_lateness}"]
    is_unknown = largest is None and found.total.first is not None
    return ["nothing is known of when rows were brought; leave --max-lateness out"] if is_unknown else []


def _facts(found: Coverage) -> dict[str, Any]:
    return {
        "axis": found.axis,
        "calendar": found.calendar,
        "every": _json(found.every),
        "every_from": found.every_from,
        "gap": _json(found.gap),
        "total": _record(found.total),
        "gaps": [_record(item) for item in found.gaps],
        "partitions": [_record(item) for item in found.partitions],
        "absent": [dict(key) for key in found.absent],
        "axis_read_of": found.read,
    }


def _record(item: Record) -> dict[str, Any]:
    return {
        name: item.said(name) if item.is_date(name) else _json(getattr(item, name)) for name in names_of(type(item))
    }


def _json(value: Any) -> Any:
    """Return a value as JSON has it: a length of time in seconds."""
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    return value.item() if isinstance(value, np.generic) else value
