"""Times zcollection and its peers on the same data: ``uv run python tests/benchmarks W2 --peers zarr,floor``.

Every operation opens what it reads and keeps nothing for the next, but the files lie in the system's cache and the
libraries are loaded: a "cold open" is cold for the library, not for the machine. Every peer uses the codecs that
zcollection writes (Parquet and Delta Lake their own), and ends a query with NumPy arrays in memory. The result of every
operation is compared with the source arrays in the first round, outside of what is timed.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import memory
import peers
import report
import storages
import timing
import workloads
from layouts import Codecs
from places import describe, working_directory
from workloads import Workload

import zcollection as zc

_BLOSC: Final = {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}
CODECS: Final[dict[str, Codecs]] = {
    "default": None,
    "zstd": ({"name": "zstd", "configuration": {"level": 3, "checksum": False}},),
    "lz4": ({"name": "blosc", "configuration": _BLOSC},),
    "none": (),
}
MEMORY: Final = "memory"
ALL: Final = "all"
_USUAL: Final = ("zarr", "xarray", "parquet", "floor", "duckdb", "mask", peers.WITHOUT_STATISTICS)


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for, and return the exit code: 1 if a peer failed or read wrong values."""
    options = _parser().parse_args(arguments)
    found, missing = _make_peers(options.peers, options.threads)
    results: dict[str, list[timing.Timed]] = {}
    peaks: list[memory.Peak] = []
    places: dict[str, Any] = {}
    tables = []
    for name in _to_run(options.workloads):
        if name == MEMORY:
            peaks, places[name] = _measure_memory(_among(found, peers.STORING), options)
            tables.append(report.memory_table(peaks))
        else:
            workload = workloads.make(name, options.scale, CODECS[options.codec])
            results[name], places[name] = _measure_time(workload, _among(found, workload.peers), options)
            tables.append(report.tables(workload, results[name]))
    about = report.environment(
        found.values(),
        scale=options.scale,
        codec=options.codec,
        threads=options.threads,
        rounds=options.rounds,
        places=places,
    )
    print("\n\n".join([report.header(about, found, missing), *tables, report.goals_table(results, peaks)]))
    if options.json:
        options.json.write_text(json.dumps(report.as_json(about, missing, results, peaks), indent=1) + "\n")
    failures = [timed for timings in results.values() for timed in timings if timed.failure]
    return 1 if failures or any(peak.failure for peak in peaks) else 0


def _to_run(given: Sequence[str]) -> list[str]:
    """Return the workloads once each, one of several parts as these; W2 is half of W4."""
    parts = [part for name in given for part in workloads.TOGETHER.get(name, (name,))]
    wanted = _all_or_given(parts, (*workloads.NAMES, MEMORY))
    return [name for name in wanted if name != "W2" or "W4" not in wanted]


def _make_peers(names: Sequence[str], threads: int) -> tuple[dict[str, peers.Peer], dict[str, str]]:
    found, missing = {}, {}
    for name in dict.fromkeys([peers.OURS, *names]):
        try:
            found[name] = peers.make(name, threads=threads)
        except peers.MissingLibraryError as error:
            missing[name] = str(error)
    return found, missing


def _among(found: dict[str, peers.Peer], names: Sequence[str]) -> dict[str, peers.Peer]:
    return {name: peer for name, peer in found.items() if name in names}


def _measure_time(
    workload: Workload, found: dict[str, peers.Peer], options: argparse.Namespace
) -> tuple[list[timing.Timed], dict[str, Any]]:
    one_round = len(found) * sum(_left_behind(variant) for variant in workload.variants)
    with (
        working_directory(options.place, one_round=one_round) as place,
        storages.running(workload.latency, place / "server") as storage,
    ):
        _warm_up(workload.name, found, options, place / "warm-up", storage)
        timings = timing.run(workload, found, place, rounds=options.rounds, tell=report.tell, storage=storage)
        return timings, describe(place) | storage.about()


def _left_behind(variant: workloads.Variant) -> int:
    """Return how many bytes one peer leaves in a round at most: each directory's data, twice where it is rewritten."""
    folders = {operation.shares or str(i) for i, operation in enumerate(variant.operations)}
    return variant.layout.nbytes * (1 if folders == {variant.operations[0].shares} else 2 * len(folders)) * 11 // 10


def _warm_up(
    name: str, found: dict[str, peers.Peer], options: argparse.Namespace, place: Path, storage: storages.Storage
) -> None:
    """Load every library and start every pool, on the smallest data."""
    if options.scale == "smoke":
        return
    tiny = workloads.make(name, "smoke", CODECS[options.codec])
    place.mkdir()
    timing.run(tiny, found, place, rounds=1, tell=lambda _: report.tell(f"{name}: warming up"), storage=storage)
    shutil.rmtree(place)


def _measure_memory(
    found: dict[str, peers.Peer], options: argparse.Namespace
) -> tuple[list[memory.Peak], dict[str, Any]]:
    codecs = CODECS[options.codec]
    size = sum(make(options.scale, codecs).nbytes for make in memory.LAYOUTS.values())
    with working_directory(options.place, one_round=len(found) * size * 11 // 10) as place:
        report.tell("memory: one process for each peer")
        peaks = memory.measure(found, place, scale=options.scale, codecs=codecs, threads=options.threads)
        return peaks, describe(place)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    everything = (*workloads.NAMES, *workloads.TOGETHER, MEMORY)
    parser.add_argument(
        "workloads", nargs="+", type=_one_of(everything), metavar="workload", help=f"{', '.join(everything)}, or all"
    )
    parser.add_argument(
        "--peers",
        type=_several_of(peers.NAMES),
        default=list(_USUAL),
        help=(
            f"beside ours, with commas between: {', '.join(peers.NAMES)}, or all (default: {','.join(_USUAL)}); those "
            "that know its operations take part in a workload"
        ),
    )
    parser.add_argument("--rounds", type=_positive, default=5, help="how often (default: %(default)s)")
    parser.add_argument("--scale", choices=workloads.SCALES, default="small", help="size (default: %(default)s)")
    parser.add_argument("--threads", type=_positive, default=zc.config.get().threads, help="of ours, floor and peers")
    parser.add_argument("--codec", choices=tuple(CODECS), default="default", help="of all peers but Delta Lake")
    parser.add_argument("--place", type=Path, help="directory to work in (default: /dev/shm if it has room)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything, raw timings included")
    return parser


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    by_lower_case = {name.lower(): name for name in (*names, ALL)}

    def known(text: str) -> str:
        if text.lower() not in by_lower_case:
            message = f"{text!r} is unknown; accepted: {', '.join(by_lower_case.values())}"
            raise argparse.ArgumentTypeError(message)
        return by_lower_case[text.lower()]

    return known


def _several_of(names: Sequence[str]) -> Callable[[str], list[str]]:
    one = _one_of(names)
    return lambda text: _all_or_given([one(word.strip()) for word in text.split(",")], names)


def _all_or_given(given: Sequence[str], names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names if ALL in given else given))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        message = f"{text!r} is not a whole number of at least 1"
        raise argparse.ArgumentTypeError(message)
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
