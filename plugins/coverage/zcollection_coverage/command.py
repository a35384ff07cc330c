"""The command ``zcollection coverage``: coverage in the terminal, with exit codes for cron jobs."""

from typing import Annotated, Any, Final

import numpy as np
import typer

from zcollection.cli.plugin import URL, AsJson, Filter, StorageOptions, Where, open_to_read, write_json, write_lines
from zcollection.plugin import SettingError, bridge, duration_of
from zcollection_coverage.coverage import Coverage, coverage
from zcollection_coverage.pictures import picture
from zcollection_coverage.records import Record, names_of
from zcollection_coverage.words import in_words, percent

INCOMPLETE: Final = 1
"""The exit code when a limit is exceeded: the share of rows, the size of a gap, or the lateness."""


def command(
    url: URL,
    *,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Expected step from a row to the next, such as '1 s'; by default the one that the axis declares, or the most frequent one.",
        ),
    ] = None,
    gap: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH", help="The largest step that does not count as a gap; by default 1.5 times --every."
        ),
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
            help="Exit with 1 if less than this share of the expected rows exists.",
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
            help="Exit with 1 if a row was inserted later than this after its time, such as '6 h', or if no insertion time is known.",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Also draw the coverage to a file, such as coverage.png or coverage.svg (zcollection[plot]).",
        ),
    ] = None,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show which rows exist along the axis and which are missing. Values are read only where statistics are missing."""
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
    """Return a step as `coverage` accepts it: a number if the text is one."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _incomplete(found: Coverage, fail_under: float | None) -> list[str]:
    """Return the failure if the share of existing rows is too small."""
    share = found.total.share
    if fail_under is None or (share is not None and share * 100 >= fail_under):
        return []
    reason = (
        "the number of expected rows is unknown" if share is None else f"{percent(share)} of the expected rows exist"
    )
    return [f"{reason}, less than {fail_under:g} %"]


def _large(found: Coverage, max_gap: str | None) -> list[str]:
    """Return the failure if a gap is too large."""
    total = found.total
    if max_gap is None or not total.gaps or total.largest_gap <= found.difference(_step(max_gap), name="--max-gap"):
        return []
    return [f"the largest gap is {in_words(total.largest_gap)}, more than {max_gap}"]


def _late(found: Coverage, max_lateness: str | None) -> list[str]:
    """Return the failure if a row is too late.

    Raises
    ------
    SettingError
        The limit is not a duration, or rows of this axis have no lateness.
    """
    if max_lateness is None:
        return []
    limit, largest = duration_of(max_lateness, name="--max-lateness"), found.lateness.largest
    if not found.has_lateness:
        message = f"--max-lateness is {max_lateness!r}, but the axis {found.axis!r} has no times in the standard calendar; leave the option out"
        raise SettingError(message)
    if largest is not None and largest > limit:
        return [f"the largest lateness is {in_words(largest)}, more than {max_lateness}"]
    is_unknown = largest is None and found.total.first is not None
    return ["the insertion times of rows are unknown; leave --max-lateness out"] if is_unknown else []


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
        name: item.text_of(name) if item.is_date(name) else _json(getattr(item, name)) for name in names_of(type(item))
    }


def _json(value: Any) -> Any:
    """Return a value for JSON: a duration is in seconds."""
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    return value.item() if isinstance(value, np.generic) else value
