"""The figures that are to be reached."""

from collections.abc import Iterator, Sequence
from statistics import median as median_of
from typing import Any, Final

from attrs import asdict, frozen
from memory import Peak
from operations import CHUNKS_READ, CHUNKS_WITH_ROWS
from peers import ARROW, OURS, WITHOUT_STATISTICS
from timing import Timed


@frozen
class Goal:
    """A goal and what was measured.

    Attributes
    ----------
    work
        Of us, against whom.
    wanted
        The bound, as a text.
    median, minimum
        The ratio of medians and that of minima.
    reached
        Whether that of medians keeps the bound.
    """

    work: str
    wanted: str
    median: float
    minimum: float
    reached: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


_TIMES_FASTER: Final = (
    ("W2", "insert", "zarr", 25),
    ("W2", "query all", "zarr", 20),
    ("W2", "one variable", "zarr", 20),
    ("W2", "open + one partition", "zarr", 5),
    ("W2", "insert", "parquet", 1),
    ("W2", "query all", "parquet", 1),
    ("W2", "insert", "floor", 1 / 2),
    ("W2", "query all", "floor", 1 / 2),
    ("W1", "insert", "floor", 1 / 1.5),
    ("W1", "query all", "floor", 1 / 1.5),
    ("W3", "append a day, upsert", "zarr", 8),
    ("W6", "insert", "zarr", 4),
    ("W6", "open + one partition", "zarr", 3),
    ("W7a", "box", "duckdb", 5),
    ("W7a", "box", "parquet", 8),
    ("W7a", "box", "mask", 8),
    ("W7a", "18 hours of two days", "duckdb", 2.5),
    ("W7a", "flag and swh", "duckdb", 1),
    ("W7a", "count of the box", "duckdb", 5),
)
_TIMES_FEWER_REQUESTS: Final = (("W6", "insert", "zarr", 4), ("W6", "open + one partition", "zarr", 3))
_VARIANTS: Final = {"W4": 1.2, "W2b": 1.5, "W7b": 2.0}
"""How many times longer the last variant of a workload may take than its first."""

_PACKED: Final = {"insert": 2.5, "query all": 2.0}
"""How many times longer W1p may take than W1."""
_PACKED_BYTES: Final = 0.6
_PLAIN: Final = 3.0
"""How many times longer plain xarray takes at least to decode what is packed."""

_CHUNKS: Final = 3
"""How many times as many chunks may be read for a box as hold such rows."""
_WITH_STATISTICS: Final = (
    ("W7c", "insert", WITHOUT_STATISTICS, 1.10),
    ("W7d", "insert", WITHOUT_STATISTICS, 1.03),
)
"""How many times longer the inserts of W2 and W1 may take than without statistics."""
_TIMES_FEWER_BYTES: Final = (("W7e", "box", WITHOUT_STATISTICS, 4),)

_THROUGH_ARROW: Final = 1.5
"""How many times longer DuckDB may take for the means of two variables through Arrow than on Parquet."""

_MEMORY: Final = 1.25


def reached(results: dict[str, list[Timed]], peaks: Sequence[Peak]) -> list[Goal]:
    """Return the goals about which these results say something."""
    return [
        *_against_peers(results),
        *_between_variants(results),
        *_of_packing(results),
        *_of_statistics(results),
        *_of_arrow(results),
        *_of_memory(peaks),
    ]


def _against_peers(results: dict[str, list[Timed]]) -> Iterator[Goal]:
    for work, factor, ours, other in _pairs(results, _TIMES_FASTER):
        median, minimum = other.median / ours.median, other.minimum / ours.minimum
        yield Goal(work, f"at least {factor:.3g}", median, minimum, median >= factor)
    for work, factor, ours, other in _pairs(results, _TIMES_FEWER_REQUESTS):
        median, minimum = (
            other.median_requests / ours.median_requests,
            other.least_requests / ours.least_requests,
        )
        yield Goal(f"{work}, requests", f"at least {factor:.3g}", median, minimum, median >= factor)


def _pairs(
    results: dict[str, list[Timed]], wanted: Sequence[tuple[str, str, str, float]], *, ratio: str = "{} ÷ ours"
) -> Iterator[tuple[str, float, Timed, Timed]]:
    """Yield what is compared, and the two that are, of what was measured."""
    everything = [timed for timings in results.values() for timed in timings if timed.usable]
    for variant, operation, peer, factor in wanted:
        found = {timed.peer: timed for timed in everything if (timed.variant, timed.operation) == (variant, operation)}
        if found.keys() >= {OURS, peer}:
            yield f"{variant} {operation}, {ratio.format(peer)}", factor, found[OURS], found[peer]


def _between_variants(results: dict[str, list[Timed]]) -> Iterator[Goal]:
    for workload, factor in _VARIANTS.items():
        ours = [timed for timed in results.get(workload, ()) if timed.peer == OURS and timed.usable]
        for operation in dict.fromkeys(timed.operation for timed in ours):
            first, *others = [timed for timed in ours if timed.operation == operation]
            for last in others[-1:]:
                median, minimum = last.median / first.median, last.minimum / first.minimum
                work = f"{operation}, {last.variant} ÷ {first.variant}"
                yield Goal(work, f"at most {factor}", median, minimum, median <= factor)


def _of_packing(results: dict[str, list[Timed]]) -> Iterator[Goal]:
    ours = {
        (timed.variant, timed.operation): timed
        for timed in results.get("W1p", ())
        if timed.peer == OURS and timed.usable
    }
    for operation, factor in _PACKED.items():
        if {("W1", operation), ("W1p", operation)} <= ours.keys():
            plain, packed = ours["W1", operation], ours["W1p", operation]
            median, minimum = packed.median / plain.median, packed.minimum / plain.minimum
            yield Goal(f"{operation}, W1p ÷ W1", f"at most {factor}", median, minimum, median <= factor)
    if {("W1p", "query all"), ("W1p", _BY_XARRAY)} <= ours.keys():
        mine, xarray = ours["W1p", "query all"], ours["W1p", _BY_XARRAY]
        median, minimum = xarray.median / mine.median, xarray.minimum / mine.minimum
        yield Goal("W1p query all, plain xarray ÷ ours", f"at least {_PLAIN}", median, minimum, median >= _PLAIN)


_BY_XARRAY: Final = "query all, plain xarray"


def _of_statistics(results: dict[str, list[Timed]]) -> Iterator[Goal]:
    """Yield what statistics cost who inserts, and what they spare who asks for a box."""
    for work, factor, ours, other in _pairs(results, _WITH_STATISTICS, ratio="ours ÷ {}"):
        longer, of_minima = ours.median / other.median, ours.minimum / other.minimum
        yield Goal(work, f"at most {factor}", longer, of_minima, longer <= factor)
    for timed in results.get("W7a", ()):
        if (timed.operation, timed.peer) == ("box", OURS) and timed.usable:
            ratio = timed.counts[CHUNKS_READ] / timed.counts[CHUNKS_WITH_ROWS]
            yield Goal("W7a box, chunks read ÷ with such rows", f"at most {_CHUNKS}", ratio, ratio, ratio <= _CHUNKS)
    for work, factor, ours, other in _pairs(results, _TIMES_FEWER_BYTES):
        fewer, of_minima = (
            median_of(other.received) / median_of(ours.received),
            min(other.received) / min(ours.received),
        )
        yield Goal(f"{work}, bytes", f"at least {factor}", fewer, of_minima, fewer >= factor)
        yield _requests_more(ours, other)


def _of_arrow(results: dict[str, list[Timed]]) -> Iterator[Goal]:
    found = {timed.peer: timed for timed in results.get("W7f", ()) if timed.usable}
    if {ARROW, "duckdb"} <= found.keys():
        longer = found[ARROW].median / found["duckdb"].median
        of_minima = found[ARROW].minimum / found["duckdb"].minimum
        work = "W7f means of two variables, DuckDB through Arrow ÷ on Parquet"
        yield Goal(work, f"at most {_THROUGH_ARROW}", longer, of_minima, longer <= _THROUGH_ARROW)


def _requests_more(ours: Timed, other: Timed) -> Goal:
    more = (ours.median_requests - other.median_requests) / ours.partitions
    of_minima = (ours.least_requests - other.least_requests) / ours.partitions
    work = f"{ours.variant} {ours.operation}, requests a partition, ours − {other.peer}"
    return Goal(work, "at most 1", more, of_minima, more <= 1)


def _of_memory(peaks: Sequence[Peak]) -> Iterator[Goal]:
    for peak in peaks:
        if peak.peer == OURS and not peak.failure:
            work = f"{peak.workload} peak memory of query all ÷ result"
            yield Goal(work, f"at most {_MEMORY}", peak.ratio, peak.ratio, peak.ratio <= _MEMORY)
