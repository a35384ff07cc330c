"""What was measured, as text and as JSON."""

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any, Final

import goals
from attrs import asdict
from memory import Peak
from peers import OURS
from peers.base import Peer
from timing import Timed
from workloads import Variant, Workload

FLOOR = "floor"


def environment(peers: Iterable[Peer], **settings: Any) -> dict[str, Any]:
    """Return what the figures depend on."""
    libraries = sorted({library for peer in peers for library in peer.libraries} | {"numpy"})
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": os.getloadavg()[0],
        **settings,
        "versions": {library: _version(library) for library in libraries},
    }


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


def as_json(
    about: dict[str, Any], missing: dict[str, str], results: dict[str, list[Timed]], peaks: Sequence[Peak]
) -> dict[str, Any]:
    """Return everything, raw timings included."""
    return {
        "environment": about,
        "missing": missing,
        "results": [
            {"workload": workload, **_timed_json(timed, timings)}
            for workload, timings in results.items()
            for timed in timings
        ],
        "memory": [peak.as_json() for peak in peaks],
        "goals": [goal.as_json() for goal in goals.reached(results, peaks)],
    }


_MEASURED: Final = ("median", "minimum", "seconds", "cpu_seconds", "requests", "received", "counts")


def _timed_json(timed: Timed, timings: Sequence[Timed]) -> dict[str, Any]:
    named = ("variant", "operation", "peer", "checked")
    body: dict[str, Any] = {name: getattr(timed, name) for name in named}
    if timed.failure or timed.unsupported:
        return {**body, "failure": timed.failure, "unsupported": timed.unsupported}
    others = [o for o in timings if (o.variant, o.operation) == (timed.variant, timed.operation) and o.usable]
    return {
        **body,
        **{name: getattr(timed, name) for name in _MEASURED},
        **({} if timed.usage is None else asdict(timed.usage)),
        "times_others_median": {other.peer: timed.median / other.median for other in others},
        "times_others_minimum": {other.peer: timed.minimum / other.minimum for other in others},
    }


def header(about: dict[str, Any], peers: dict[str, Peer], missing: dict[str, str]) -> str:
    """Return what stands above the tables."""
    lines = [f"{name}: {value}" for name, value in about.items() if name != "versions"]
    lines.append("versions: " + ", ".join(f"{name} {value}" for name, value in about["versions"].items()))
    lines += [f"  {name:<13} {peer.about}" for name, peer in peers.items()]
    lines += [f"  {name:<13} not measured: {reason}" for name, reason in missing.items()]
    lines.append("× floor, × ours: how many times their time it takes, of medians and of minima")
    return "\n".join(lines)


def tables(workload: Workload, timings: Sequence[Timed]) -> str:
    """Return a table for each operation, and the ratios of variants where there are several."""
    blocks = [
        _table(variant, [timed for timed in timings if (timed.variant, timed.operation) == (variant.label, name)])
        for variant in workload.variants
        for name in dict.fromkeys(operation.name for operation in variant.operations)
    ]
    return "\n\n".join([*blocks, *_variants(workload, timings)])


def _table(variant: Variant, timings: Sequence[Timed]) -> str:
    layout = variant.layout
    title = (
        f"{variant.label} {timings[0].operation}  ({len(layout.counts):,} partitions, {len(layout.variables)} arrays "
        f"each, {layout.nbytes / 1e6:,.1f} MB)"
    )
    head = (
        "peer",
        "median",
        "minimum",
        "cpu",
        "× floor",
        "of minima",
        "× ours",
        "of minima",
        "left",
        "requests",
        "read",
    )
    by_peer = {timed.peer: timed for timed in timings if timed.usable}
    rows = [_row(timed, by_peer.get(FLOOR), by_peer.get(OURS)) for timed in timings]
    failures = [f"    {timed.peer}: {timed.failure}" for timed in timings if timed.failure]
    return "\n".join([_aligned(title, [head, *rows]), *failures])


def _row(timed: Timed, floor: Timed | None, ours: Timed | None) -> tuple[str, ...]:
    if not timed.usable:
        return (timed.peer, "–" if timed.unsupported else "failed")
    cpu = sorted(timed.cpu_seconds)[len(timed.cpu_seconds) // 2]
    left = "" if timed.usage is None else f"{timed.usage.bytes / 1e6:,.1f} MB, {timed.usage.files:,} files"
    ratios = [ratio for other in (floor, ours) for ratio in _ratios(timed, other)]
    times = map(_seconds, (timed.median, timed.minimum, cpu))
    return (timed.peer, *times, *ratios, left, _requests(timed), _read(timed))


def _requests(timed: Timed) -> str:
    """Return how many there were, and of which kinds in the last round."""
    kinds = sorted(timed.requests[-1].items())
    each = ", ".join(f"{count:,} {kind}" for kind, count in kinds)
    return f"{timed.median_requests:,.0f}: {each}" if kinds else ""


def _read(timed: Timed) -> str:
    """Return how much was read, where that was counted."""
    received = [f"{median(timed.received) / 1e6:,.2f} MB"] if timed.received else []
    return ", ".join([*received, *(f"{count:,} {name}" for name, count in timed.counts.items())])


def _ratios(timed: Timed, other: Timed | None) -> tuple[str, str]:
    if other is None:
        return "", ""
    return f"{timed.median / other.median:.2f}", f"{timed.minimum / other.minimum:.2f}"


def _variants(workload: Workload, timings: Sequence[Timed]) -> list[str]:
    """Compare the last variant with the first, which has as many arrays to handle in each operation."""
    if len(workload.variants) == 1:
        return []
    first, last = workload.variants[0].label, workload.variants[-1].label
    found = {(timed.variant, timed.operation, timed.peer): timed for timed in timings if timed.usable}
    rows = [
        (operation, peer, *_ratios(timed, found[first, operation, peer]))
        for (variant, operation, peer), timed in found.items()
        if variant == last and (first, operation, peer) in found
    ]
    return [_aligned(f"{last} ÷ {first}", [("operation", "peer", "of medians", "of minima"), *rows])]


def memory_table(peaks: Sequence[Peak]) -> str:
    """Return the peaks as a table."""
    head = ("data", "peer", "result", "peak above baseline", "÷ result")
    rows = [(peak.workload, peak.peer, *_peak_cells(peak)) for peak in peaks]
    return _aligned("memory of a full query, in a process of its own", [head, *rows])


def _peak_cells(peak: Peak) -> tuple[str, ...]:
    if peak.failure:
        return ("", f"failed: {peak.failure}", "")
    return f"{peak.nbytes / 1e6:,.1f} MB", f"{(peak.peak - peak.baseline) / 1e6:,.1f} MB", f"{peak.ratio:.2f}"


def goals_table(results: dict[str, list[Timed]], peaks: Sequence[Peak]) -> str:
    """Return the goals that this run says something about; they are stated for the full scale."""
    head = ("work", "goal", "median", "of minima", "reached")
    rows = [
        (goal.work, goal.wanted, f"{goal.median:.2f}", f"{goal.minimum:.2f}", "yes" if goal.reached else "NO")
        for goal in goals.reached(results, peaks)
    ]
    return _aligned("goals (stated for full scale; NO is no failure)", [head, *rows]) if rows else ""


def _aligned(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"


def tell(line: str) -> None:
    """Report progress where it disturbs no table."""
    print(line, file=sys.stderr, flush=True)
