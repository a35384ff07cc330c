"""The figures that issue 3 wants reached."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import asdict, frozen
from memory import Peak
from peers import OURS
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
)
_VARIANTS: Final = {"W4": 1.2, "W2b": 1.5}
"""How many times longer the last variant of a workload may take than its first."""

_MEMORY: Final = 1.25


def reached(results: dict[str, list[Timed]], peaks: Sequence[Peak]) -> list[Goal]:
    """Return the goals about which these results say something."""
    return [*_against_peers(results), *_between_variants(results), *_of_memory(peaks)]


def _against_peers(results: dict[str, list[Timed]]) -> Iterator[Goal]:
    everything = [timed for timings in results.values() for timed in timings if timed.usable]
    for variant, operation, peer, factor in _TIMES_FASTER:
        found = {timed.peer: timed for timed in everything if (timed.variant, timed.operation) == (variant, operation)}
        if found.keys() >= {OURS, peer}:
            median = found[peer].median / found[OURS].median
            minimum = found[peer].minimum / found[OURS].minimum
            work = f"{variant} {operation}, {peer} ÷ ours"
            yield Goal(work, f"at least {factor:.3g}", median, minimum, median >= factor)


def _between_variants(results: dict[str, list[Timed]]) -> Iterator[Goal]:
    for workload, factor in _VARIANTS.items():
        ours = [timed for timed in results.get(workload, ()) if timed.peer == OURS and timed.usable]
        for operation in dict.fromkeys(timed.operation for timed in ours):
            first, *others = [timed for timed in ours if timed.operation == operation]
            for last in others[-1:]:
                median, minimum = last.median / first.median, last.minimum / first.minimum
                work = f"{operation}, {last.variant} ÷ {first.variant}"
                yield Goal(work, f"at most {factor}", median, minimum, median <= factor)


def _of_memory(peaks: Sequence[Peak]) -> Iterator[Goal]:
    for peak in peaks:
        if peak.peer == OURS and not peak.failure:
            work = f"{peak.workload} peak memory of query all ÷ result"
            yield Goal(work, f"at most {_MEMORY}", peak.ratio, peak.ratio, peak.ratio <= _MEMORY)
