"""The health of a collection: problems and possible improvements."""

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np

from zcollection.plugin import format_bytes, tag
from zcollection_report.facts import Facts
from zcollection_report.page import Chapter, check, counted, table

SMALL: Final = 1_000_000
"""Partitions with fewer bytes are small: on object storage, the latency of requests dominates."""

FEW: Final = 50
"""Up to this number of partitions, their size does not matter."""

MANY: Final = 1000
"""With more versions than this, vacuum is recommended."""

_SHOWN: Final = 20


def health(found: Facts) -> Chapter:
    """Return the chapter of health."""
    report = found.health.value
    problems = () if report is None else report.problems
    rows = [(item.partition, item.variable, item.chunk, item.what) for item in problems[:_SHOWN]]
    named = table("Problems", ("partition", "variable", "chunk", "what"), rows, rest=len(problems) - len(rows))
    checks = [*_verified(found), *_coverage(found), *_partitions(found), *_versions(found)]
    return Chapter("health", "Health", [tag("ul", checks, class_="zc-checks"), named])


def _verified(found: Facts) -> Iterator[Element]:
    report = found.health.value
    if report is None:
        yield check("wrong", f"verification failed: {found.health.why}")
        return
    is_complete = len(found.chosen) == len(found.records)
    which = "all of them" if is_complete else f"evenly spread among {len(found.records):,}"
    checked = (
        f"Checked: the catalog, the log, and the documents of {report.partitions:,} partitions ({which}) with their "
        f"{report.chunks:,} chunks, which exist but were not read (verify(data=True) reads them)."
    )
    if report.is_clean:
        yield check("fine", f"no problem was found. {checked}")
    else:
        yield check(
            "wrong", f"{counted(len(report.problems), 'problem')}; repair() repairs what is repairable. {checked}"
        )
    for note in report.notes[:_SHOWN]:
        yield check("note", f"{note}.")
    if len(report.notes) > _SHOWN:
        yield check("note", f"{len(report.notes) - _SHOWN:,} more notes; verify() lists them.")


def _coverage(found: Facts) -> Iterator[Element]:
    coverage = found.coverage.value
    if coverage is None:
        return
    total = coverage.total
    if coverage.read:
        yield check(
            "note",
            f"the statistics of {coverage.read:,} partitions do not describe the sampling of the axis, so that it was read: their rows "
            f"have no constant step, or an older release wrote them (add_statistics() completes these).",
        )
    else:
        yield check("fine", "the statistics of every partition describe the sampling of its axis.")
    if total.duplicates:
        yield check("note", f"{total.duplicates:,} rows have a value of the axis that another row has.")
    if total.backward:
        yield check("note", f"{total.backward:,} rows come after one with a larger value of the axis.")
    if total.without_value:
        yield check("note", f"{total.without_value:,} rows have no value of the axis.")


def _partitions(found: Facts) -> Iterator[Element]:
    sizes = np.array([record.stored_bytes for record in found.records.values()], np.int64)
    if not len(sizes) or found.status is not None:  # a view has the partitions of its base
        return
    small, median = int((sizes < SMALL).sum()), format_bytes(int(np.median(sizes)))
    if small and len(sizes) > FEW:
        yield check(
            "note",
            f"{small:,} of {len(sizes):,} partitions are smaller than {format_bytes(SMALL)} (the median is {median}): on object "
            f"storage, fewer and larger ones are read faster.",
        )
    else:
        yield check("fine", f"the partitions are large enough, or few: {len(sizes):,}, with a median size of {median}.")


def _versions(found: Facts) -> Iterator[Element]:
    history = found.history.value
    if history is None:
        return
    if len(history) > MANY:
        yield check("note", f"there are {len(history):,} versions; vacuum() combines the records of old ones.")
    else:
        yield check("fine", f"the history is short: {counted(len(history), 'version')}.")
