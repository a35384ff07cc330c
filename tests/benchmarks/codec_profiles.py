"""Size and speed of codec chains on real and synthetic arrays, encoded and decoded as the library does.

Run it with ``uv run python tests/benchmarks/codec_profiles.py --rounds 5``; docs/codecs.md explains and keeps the figures.
"""

import argparse
import json
import math
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5netcdf
import numcodecs
import numcodecs.blosc
import numcodecs.zstd
import numpy as np
from attrs import field, frozen
from bokeh_sampledata import package_csv
from numpy.typing import NDArray

from zcollection.cli.demo import source
from zcollection.cli.demo.track import build_track
from zcollection.engine import direct
from zcollection.engine.layout import ArrayLayout
from zcollection.model.codecs import Codec, profile, profile_names
from zcollection.model.schema import VariableSchema

SIZES = {"4 KiB": 2**12, "64 KiB": 2**16, "1 MiB": 2**20, "4 MiB": 2**22}
_MAP_DAYS = np.arange("2018-12-31", "2019-01-04", dtype="datetime64[D]")
_SYNTHETIC_BYTES = 2**23
_LEAST_BYTES = 4_000_000
"""What one timing goes through at least: a small array several times."""

_MEASURES = {"ratio": ("size in memory / size stored", ".2f"), "encode": ("MB/s", ".0f"), "decode": ("MB/s", ".0f")}
_LEGEND = "lz4-s5: blosc, lz4, shuffle, level 5; zstd-b1: bitshuffle; @1024: blocks of 1024 KiB; zstd-3: without blosc"


@frozen(kw_only=True)
class Case:
    """An array, the chunks that it is cut into, the codecs, and what was measured of them, round by round."""

    dataset: str
    size: str
    chain: str
    values: NDArray[Any] = field(repr=False)
    layout: ArrayLayout = field(repr=False)
    figures: dict[str, list[float]] = field(factory=lambda: defaultdict(list), repr=False)

    @property
    def repeats(self) -> int:
        """How often one timing goes through the array."""
        return math.ceil(_LEAST_BYTES / self.values.nbytes)


def main() -> None:
    """Measure, and print the tables."""
    options = _options()
    numcodecs.blosc.use_threads = False
    print(*describe_machine(options), sep="\n")
    cases = list(build_cases())
    with ThreadPoolExecutor(options.threads) as pool:
        for number in range(options.rounds):
            print(f"round {number + 1}: {measure_round(cases, Workers(pool, options.threads))}", flush=True)
    print_tables(cases)
    if options.json:
        write_json(options.json, cases)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured; medians are printed")
    parser.add_argument("--threads", type=int, default=1, help="how many threads each do the whole work at once")
    parser.add_argument("--json", type=Path, help="where to write every round's figures")
    return parser.parse_args()


def describe_machine(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines that say what was measured where."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    yield f"{model.partition(': ')[2]}, {os.cpu_count()} cores, {platform.platform()}"
    yield f"Python {platform.python_version()}, NumPy {np.__version__}, numcodecs {numcodecs.__version__}"
    yield f"blosc {numcodecs.blosc.VERSION_STRING}, zstd {numcodecs.zstd.VERSION_NUMBER}"
    yield f"{options.rounds} rounds, {options.threads} thread(s)"
    yield _LEGEND
    yield from (f"{name} = {' + '.join(map(short_name, profile(name))) or 'bytes alone'}" for name in profile_names())


def chains() -> dict[str, tuple[Codec, ...]]:
    """Return the candidates and the profiles, each chain once, by a short name."""
    candidates = [
        *((_zstd(level),) for level in (1, 3, 9)),
        *((_blosc("lz4", "shuffle", level),) for level in (1, 5, 9)),
        (_blosc("lz4", "bitshuffle", 5),),
        *((_blosc("zstd", "shuffle", level),) for level in (1, 3, 5, 7)),
        *((_blosc("zstd", "bitshuffle", level),) for level in (1, 3, 5)),
        *((_blosc("zstd", "shuffle", level, blocksize=2**20),) for level in (1, 3, 5)),
        (_blosc("zstd", "shuffle", 1, blocksize=2**18),),
        ({"name": "gzip", "configuration": {"level": 5}},),
    ]
    every = [(), *candidates, *map(profile, profile_names())]
    return {"+".join(map(short_name, chain)) or "none": chain for chain in every}


def short_name(codec: Codec) -> str:
    """Return ``zstd-s5@256`` for blosc with zstd, shuffle, level 5 and blocks of 256 KiB, ``zstd-3`` for zstd alone."""
    settings = codec.get("configuration", {})
    if codec["name"] == "blosc":
        blocks = f"@{settings['blocksize'] // 1024}" if settings.get("blocksize") else ""
        return f"{settings['cname']}-{settings['shuffle'][0]}{settings['clevel']}{blocks}"
    return f"{codec['name']}-{settings['level']}" if "level" in settings else str(codec["name"])


def _zstd(level: int) -> Codec:
    return {"name": "zstd", "configuration": {"level": level, "checksum": False}}


def _blosc(cname: str, shuffle: str, clevel: int, *, blocksize: int = 0) -> Codec:
    settings = {"cname": cname, "clevel": clevel, "shuffle": shuffle, "blocksize": blocksize}
    return {"name": "blosc", "configuration": settings}


def datasets() -> dict[str, NDArray[Any]]:
    """Return the arrays as they are stored, by name."""
    return {**_track(), **_maps(), "buoy temperature": _buoy(), **_synthetic()}


def _track() -> dict[str, NDArray[Any]]:
    arrays = {path.rpartition("/")[2]: values for path, values in build_track().arrays.items()}
    arrays["time"] = arrays["time"].view(np.int64)
    return {f"track {name}": values for name, values in arrays.items()}


def _maps() -> dict[str, NDArray[Any]]:
    raw = [_raw_map(source._file(source._MAP.format(day=str(day).replace("-", "")))) for day in _MAP_DAYS]
    heights = [source.read_map(day).height for day in _MAP_DAYS]
    return {"maps adt int32": np.concatenate(raw), "maps adt float32": np.concatenate(heights)}


def _raw_map(path: Path) -> NDArray[np.int32]:
    with h5netcdf.File(path, "r") as file:
        return np.asarray(file.variables["adt"][0], dtype=np.int32)


def _buoy() -> NDArray[np.float64]:
    return np.asarray(package_csv("sea_surface_temperature.csv.gz").iloc[:, 1], dtype=np.float64)


def _synthetic() -> dict[str, NDArray[Any]]:
    generator = np.random.default_rng(20261123)
    count = _SYNTHETIC_BYTES // 8
    regular = 1_700_000_000_000_000_000 + 50_000_000 * np.arange(count, dtype=np.int64)
    rows, across = np.arange(_SYNTHETIC_BYTES // 960)[:, np.newaxis], np.arange(240)
    swath = np.sin(rows / 300) * np.cos(across / 60) + 0.3 * np.sin(rows / 37 + across / 11)
    noisy = swath + generator.normal(scale=0.02, size=swath.shape)
    wave = np.sin(np.arange(count) / 5000)
    return {
        "int64 regular time": regular,
        "int64 jittered time": regular + generator.integers(-1_000_000, 1_000_000, count),
        "float32 2-D smooth": swath.astype("float32"),
        "float32 2-D noisy": noisy.astype("float32"),
        "float32 2-D quantised": (np.rint(noisy / 1e-4) * 1e-4).astype("float32"),
        "float64 smooth": wave,
        "float64 noisy": wave + generator.normal(scale=0.02, size=count),
        "int16 flags": _runs(generator, np.array([0, 1, 2, 4, 64, 1025], dtype=np.int16), _SYNTHETIC_BYTES // 2),
        "bool": _runs(generator, np.array([False, True]), _SYNTHETIC_BYTES),
    }


def _runs(generator: np.random.Generator, states: NDArray[Any], count: int) -> NDArray[Any]:
    """Return runs of equal states, of 40 elements on average."""
    changes = np.cumsum(generator.random(count) < 1 / 40)
    runs: NDArray[Any] = generator.choice(states, size=changes[-1] + 1)
    return runs[changes]


def build_cases() -> Iterator[Case]:
    """Yield every array with every size of chunks that cuts it in another way, with every chain."""
    for dataset, values in datasets().items():
        seen = set()
        for size, length in SIZES.items():
            chunks = _chunks(values, length)
            if chunks in seen:
                continue
            seen.add(chunks)
            whole = values[: values.shape[0] // chunks[0] * chunks[0]]
            for chain, codecs in chains().items():
                layout = _layout(whole, chunks, codecs)
                yield Case(dataset=dataset, size=size, chain=chain, values=whole, layout=layout)


def _chunks(values: NDArray[Any], size: int) -> tuple[int, ...]:
    """Return chunks of about a size that cut the first dimension alone, and into equal parts but for a few rows."""
    rows = max(1, values.shape[0] // max(1, round(values.nbytes / size)))
    # Blosc's bitshuffle does nothing to a block whose number of elements 8 does not divide.
    return (rows // 8 * 8 if values.ndim == 1 else rows, *values.shape[1:])


def _layout(values: NDArray[Any], chunks: tuple[int, ...], codecs: tuple[Codec, ...]) -> ArrayLayout:
    dimensions = ("time", "across")[: values.ndim]
    variable = VariableSchema("v", dtype=values.dtype, dimensions=dimensions, codecs=codecs)
    return ArrayLayout(path="v", variable=variable, shape=values.shape, chunks=chunks)


@frozen
class Workers:
    """Threads that each do the same work at once."""

    pool: ThreadPoolExecutor
    count: int

    def seconds(self, work: Callable[[], None]) -> float:
        """Return how long the work takes: from the first one's start to the last one's end.

        Of a single thread it is the time that it has had on a processor, which other programs disturb less.
        """
        clock = time.thread_time if self.count == 1 else time.perf_counter
        spans = [future.result() for future in [self.pool.submit(_span, work, clock) for _ in range(self.count)]]
        return max(stop for _, stop in spans) - min(start for start, _ in spans)


def _span(work: Callable[[], None], clock: Callable[[], float]) -> tuple[float, float]:
    start = clock()
    work()
    return start, clock()


def measure_round(cases: Sequence[Case], workers: Workers) -> str:
    """Measure every case once, and return how long that took and how busy the machine was."""
    before, start = os.getloadavg()[0], time.perf_counter()
    for case in cases:
        measure(case, workers)
    return f"{time.perf_counter() - start:.0f} s, load {before:.1f} to {os.getloadavg()[0]:.1f}"


def measure(case: Case, workers: Workers) -> None:
    """Add one round's figures of a case, after one pass that is not timed."""
    encoded, out = dict(direct.encode(case.layout, case.values)), np.empty_like(case.values)
    _decode(case, encoded, out)
    if out.tobytes() != case.values.tobytes():
        message = f"{case} is not what it was after it is encoded and decoded"
        raise ValueError(message)
    megabytes = case.values.nbytes * case.repeats * workers.count / 1e6
    case.figures["ratio"].append(case.values.nbytes / sum(map(len, encoded.values())))
    case.figures["encode"].append(megabytes / workers.seconds(lambda: _encode(case)))
    case.figures["decode"].append(megabytes / workers.seconds(lambda: _decode(case, encoded, out)))


def _encode(case: Case) -> None:
    for _ in range(case.repeats):
        dict(direct.encode(case.layout, case.values))


def _decode(case: Case, encoded: dict[str, bytes], out: NDArray[Any]) -> None:
    layout = case.layout
    for _ in range(case.repeats):
        for index in layout.chunk_indices:
            direct.decode_chunk(layout, encoded[layout.chunk_key(index)], out[layout.chunk_slices(index)])


def print_tables(cases: Sequence[Case]) -> None:
    """Print a table of medians for each size of chunks and each measure."""
    for size in SIZES:
        for name, (unit, form) in _MEASURES.items():
            rows: dict[str, dict[str, float]] = defaultdict(dict)
            for case in cases:
                if case.size == size:
                    rows[case.dataset][case.chain] = statistics.median(case.figures[name])
            print(f"\nchunks of {size}; {name}: {unit}")
            print_table(rows, form)


def print_table(rows: dict[str, dict[str, float]], form: str) -> None:
    """Print one table, and the harmonic means of its columns: what a mixture of equal parts would give."""
    names = list(next(iter(rows.values())))
    means = {name: statistics.harmonic_mean(row[name] for row in rows.values()) for name in names}
    print(" " * 21, *(f"{name:>7}" for name in names))
    for title, row in (*rows.items(), ("equal parts of each", means)):
        print(f"{title:<21}", *(f"{row[name]:>{max(7, len(name))}{form}}" for name in names))


def write_json(path: Path, cases: Sequence[Case]) -> None:
    """Write every round's figures."""
    records = [{"dataset": its.dataset, "chunks": its.size, "chain": its.chain, **its.figures} for its in cases]
    path.write_text(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
