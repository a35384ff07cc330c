"""Documents, names, keys, filters and URLs that nobody should believe: ``python tests/faults/bad_input.py``.

Each seed is one input, made by damaging a sound one. Whoever meets it raises one of our errors or none, takes less than a
second of the processor and 512 MiB of memory, and neither reads nor writes outside of the collection. Seeds that ever
failed stand in ``seeds.json`` and are run first.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import forging
import numpy as np
import running

import zcollection as zc
from zcollection.errors import ZCollectionError

KNOWN = running.HERE / "seeds.json"
SECONDS = 1.0
MEMORY = 512 * 2**20
HANGING = 300


def rows(*days: int) -> dict[str, np.ndarray]:
    """Return two rows for each day."""
    time = np.concatenate([np.array([0, 1000]) + day * 86_400 * 10**9 for day in days])
    return {"time": time, "value": time * 0.5, "deep/flag": (time % 100).astype("int8")}


def create(place: Path, *, overwrite: bool = False) -> None:
    """Make the sound collection."""
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4)
        .with_dimension("x", size=2)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("value", dtype="float64", dimensions=("time",), fill_value=np.nan)
        .with_variable("angle", dtype="float64", dimensions=("x",))
        .with_variable("flag", dtype="int8", dimensions=("time",), group="/deep")
        .build()
    )
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(place, schema=schema, axis="time", partitioning=partitioning, overwrite=overwrite)
    collection.insert(rows(1, 2) | {"angle": [1.0, 2.0]})
    collection.vacuum(older_than="0s")
    collection.insert(rows(3), merge="upsert")
    collection.drop_partitions(filters="day == 2")
    collection.insert(rows(5), merge="upsert")


def values(dataset: zc.Dataset | None) -> list[np.ndarray]:
    """Return the values of a dataset, which is None where there are no rows."""
    return [] if dataset is None else [variable.to_numpy() for variable in dataset.all_variables().values()]


USES: dict[str, Callable[[zc.Collection], object]] = {
    "query": lambda collection: collection.query(),
    "lazy query": lambda collection: values(collection.query(lazy=True)),
    "filter": lambda collection: collection.query(filters="day > 2", variables=["deep/flag", "angle"]),
    "records": lambda collection: dict(collection.records()),
    "history": lambda collection: (collection.history(), collection.changes(since=0)),
    "verify": lambda collection: collection.verify(data=True),
    "print": lambda collection: (repr(collection), collection.partitioning),
}
CHANGES: dict[str, Callable[[zc.Collection], object]] = {
    "insert": lambda collection: collection.insert(rows(2), merge="upsert"),
    "update": lambda collection: collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1}),
    "drop": lambda collection: collection.drop_partitions(filters="day == 3"),
    "repair": lambda collection: collection.repair(),
    "vacuum": lambda collection: collection.vacuum(older_than="0s"),
    "overwrite": lambda collection: create(Path(collection.store.root), overwrite=True),
}


class Watch:
    """What the process does outside of the collection while it is watched."""

    def __init__(self) -> None:
        self._root: str | None = None
        self._beginnings = threading.local()
        self.seen: list[str] = []
        self._watch_beginnings()
        self.reads_anywhere = False
        sys.addaudithook(self._heard)

    @contextmanager
    def over(self, root: Path) -> Iterator[None]:
        self._root, self.seen = str(root), []
        try:
            yield
        finally:
            self._root = None

    _READS = ("os.listdir", "os.scandir")
    _WRITES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")
    _NEVER = ("pickle.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.connect")

    def _heard(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._root is None:
            return
        if event.startswith(self._NEVER):
            self.seen.append(f"{event} {arguments!r:.200}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            self._look(event, arguments[:1], writes=bool(flags & (os.O_WRONLY | os.O_RDWR)))
        elif event in self._READS:
            self._look(event, arguments[:1], writes=False)
        elif event in self._WRITES:
            self._look(event, arguments[:2], writes=True)

    def _watch_beginnings(self) -> None:
        """Learn at which directories paths begin: the events do not say so."""

        def watched(function: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, dir_fd: int | None = None, **options: object) -> object:
                self._beginnings.descriptor = dir_fd
                try:
                    return function(*arguments, dir_fd=dir_fd, **options)
                finally:
                    self._beginnings.descriptor = None

            return call

        # What supports such paths is told by the functions themselves.
        for name in ("open", "mkdir"):
            function = watched(getattr(os, name))
            os.supports_dir_fd.add(function)
            setattr(os, name, function)

    def _beginning(self) -> str:
        descriptor = getattr(self._beginnings, "descriptor", None)
        return "" if descriptor is None else str(Path(f"/proc/self/fd/{descriptor}").readlink())

    def _look(self, event: str, paths: tuple[object, ...], *, writes: bool) -> None:
        for path in paths:
            if isinstance(path, str | bytes | os.PathLike) and self._is_outside(os.fsdecode(path), writes=writes):
                self.seen.append(f"{event} {os.fsdecode(path)}")

    def _is_outside(self, path: str, *, writes: bool) -> bool:
        if path.startswith("/proc/self/fd/"):
            return False  # a file without a name that is given one
        real = os.path.normpath(Path(self._beginning(), path))
        if real == self._root or real.startswith(f"{self._root}/"):
            return False
        # The interpreter reads its own modules, and what is installed; a URL may name any place to read.
        return writes or not (
            self.reads_anywhere
            or real.startswith((sys.prefix, sys.base_prefix, *filter(None, sys.path), str(running.HERE.parents[1])))
        )


class Bench:
    """Where inputs are tried, one after the other."""

    def __init__(self, work: Path) -> None:
        self.place, self._whole = work / "place", work / "whole"
        create(self._whole)
        shutil.copytree(self._whole, self.place)
        self.documents = {key: (self._whole / key).read_bytes() for key in self._keys()}
        self._watch = Watch()

    def _keys(self) -> list[str]:
        found = [path for path in self._whole.rglob("*") if path.is_file() and path.name != "lock"]
        return sorted(str(path.relative_to(self._whole)) for path in found)

    def failure(self, kind: str, seed: int) -> str | None:
        """Return what is wrong with how an input is met, or None."""
        chance = random.Random(f"{kind} {seed}")
        started, wrong = time.process_time(), None
        self._watch.reads_anywhere = kind == "url"
        with self._watch.over(self.place), _alarm():
            try:
                KINDS[kind](self, chance)
            except ZCollectionError:
                pass
            except Exception as error:  # noqa: BLE001 - none of ours
                where = traceback.extract_tb(error.__traceback__)[-1]
                wrong = f"{type(error).__name__}: {error!s:.200} at {Path(where.filename).name}:{where.lineno}"
        seconds = time.process_time() - started
        if seconds > SECONDS and wrong is None:
            wrong = f"it took {seconds:.1f} seconds"
        return wrong or (f"outside of the collection: {self._watch.seen[:3]}" if self._watch.seen else None)

    def document(self, chance: random.Random, *parts: str) -> None:
        """Meet a collection of which one document is damaged."""
        key = chance.choice([key for key in self.documents if any(part in key for part in parts)])
        content = forging.damaged(key, self.documents[key], chance, others=list(self.documents.values()))
        changes = chance.random() < 0.3
        name = chance.choice([*(CHANGES if changes else USES)])
        with self._watched_off():
            (self.place / key).write_bytes(content)
            if "/log/" in key or "/history/" in key or chance.random() < 0.2:
                (self.place / "_catalog/c/0").unlink(missing_ok=True)
        try:
            (CHANGES | USES)[name](zc.open_collection(self.place, mode="rw" if changes else "r"))
        finally:
            with self._watched_off():
                if changes or len(self._listed()) != len(self.documents):
                    self._restore()
                else:
                    (self.place / key).write_bytes(self.documents[key])

    def _listed(self) -> list[Path]:
        return [path for path in self.place.rglob("*") if path.is_file() and path.name != "lock"]

    def _restore(self) -> None:
        shutil.rmtree(self.place)
        shutil.copytree(self._whole, self.place)

    @contextmanager
    def _watched_off(self) -> Iterator[None]:
        root, self._watch._root = self._watch._root, None
        try:
            yield
        finally:
            self._watch._root = root


def _filter(bench: Bench, chance: random.Random) -> None:
    zc.open_collection(bench.place).partitions(filters=forging.filter_of(chance))


def _name(_: Bench, chance: random.Random) -> None:
    name, other = forging.text(chance), forging.text(chance)
    schema = zc.Schema().with_dimension(name, chunks=chance.choice([4, 0, -1, 2**70])).with_group(other)
    schema.with_variable(
        forging.text(chance), dtype=chance.choice(["int8", other]), dimensions=(name,), group=other
    ).build()


def _key(_: Bench, chance: random.Random) -> None:
    partitioning = zc.partitioning.Date(("time",), resolution=chance.choice(["D", "M", "h"]))
    partitioning.decode(forging.path(chance))
    partitioning.encode({name: forging.value(chance) for name in ("year", "month", "day")})


def _url(bench: Bench, chance: random.Random) -> None:
    zc.open_collection(forging.url(chance, str(bench.place)))


def _rows(bench: Bench, chance: random.Random) -> None:
    given = {**rows(3), forging.text(chance): [1, 2], "value": forging.value(chance)}
    zc.open_collection(bench.place, mode="rw").plan(given)


KINDS: dict[str, Callable[[Bench, random.Random], None]] = {
    "configuration": lambda bench, chance: bench.document(chance, "_zcollection.json"),
    "catalog": lambda bench, chance: bench.document(chance, "_catalog/c/0"),
    "record": lambda bench, chance: bench.document(chance, "/log/"),
    "history": lambda bench, chance: bench.document(chance, "/history/"),
    "group document": lambda bench, chance: bench.document(chance, "/zarr.json"),
    "filter": _filter,
    "name": _name,
    "key": _key,
    "url": _url,
    "rows": _rows,
}


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        message = f"not done after {HANGING} seconds"
        raise TimeoutError(message)

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(HANGING)
    try:
        yield
    finally:
        signal.alarm(0)


def limit_memory() -> None:
    """Let the process have so much more memory than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))


def cases(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Yield the seeds that ever failed, then the others."""
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    yield from ((kind, seed) for kind in options.kinds for seed in known.get(kind, []))
    for seed in range(options.first, options.first + options.cases // len(options.kinds)):
        yield from ((kind, seed) for kind in options.kinds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--keep", action="store_true", help="add the seeds that fail to those that are kept")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    counts, failures = Counter[str](), []
    with running.working_directory() as work:
        bench = Bench(work)
        for use in (*USES.values(), *CHANGES.values()):  # what is loaded once is loaded now
            use(zc.open_collection(bench.place, mode="rw"))
        bench._restore()
        limit_memory()
        for kind, seed in cases(options):
            counts[kind] += 1
            wrong = bench.failure(kind, seed)
            if wrong is not None:
                failures.append((kind, seed, wrong))
                print(f"{kind} {seed}: {wrong}", file=sys.stderr)
    if options.keep:
        known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
        for kind, seed, _ in failures:
            known[kind] = sorted({*known.get(kind, []), seed})
        KNOWN.write_text(json.dumps(known, indent=1) + "\n")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures = {"cases": counts.total(), "of each": counts, "largest memory in MiB": memory}
    running.finish(
        figures | {"failures": [f"{kind} {seed}: {wrong}" for kind, seed, wrong in failures]}, faults=len(failures)
    )


if __name__ == "__main__":
    main()
