"""Every kind of file of a collection damaged, one at a time: ``python tests/faults/corruption.py``.

Chunks have checksums. After each damage whoever reads gets what was written or one of our errors, within seconds; what a
verification does not report does no harm; it names the partition, variable and chunk that is damaged; and after a repair
and a new insertion of the rows nothing is left to report.
"""

import argparse
import contextlib
import random
import re
import shutil
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import ledger  # noqa: F401 - takes the size of segments from the environment
import numpy as np
import running
from zcollection_store_file.store import FileStore

import zcollection as zc
from zcollection.errors import ZCollectionError

DAY = 86_400 * 10**9
ROWS = 6
LIMIT = 300
"""Seconds after which what does not end is a fault, on a busy machine too."""

KINDS = {
    "configuration": r"_zcollection\.json",
    "root document": r"zarr\.json",
    "catalog document": r"_catalog/zarr\.json",
    "catalog": r"_catalog/c/0",
    "transactions document": r"_transactions/zarr\.json",
    "record": r"_transactions/log/\d+\.json",
    "mark": r"_transactions/log/\d+\.ok",
    "history": r"_transactions/history/.*",
    "segment": r"_transactions/segments/.*",
    "staged document": r"_transactions/stage/.*/zarr\.json",
    "staged chunk": r"_transactions/stage/.*/c/.*",
    "staged statistics": r"_transactions/stage/.*/_statistics",
    "immutable document": r"_immutable/(.*/)?zarr\.json",
    "immutable chunk": r"_immutable/.*/c/.*",
    "parent's document": r"year=\d+(/month=\d+)?/zarr\.json",
    "group document": r"(year=\d+/month=\d+/day=\d+)(/deep|/deep/er)?/zarr\.json",
    "array document": r"year=\d+/month=\d+/day=\d+/.*/zarr\.json",
    "chunk": r"year=\d+/month=\d+/day=\d+/.*/c/.*",
    "statistics": r"year=\d+/month=\d+/day=\d+/.*/_statistics",
}
CHUNKS = {"chunk", "staged chunk", "immutable chunk"}


def rows(*days: int) -> dict[str, np.ndarray]:
    """Return the rows of days since 1970."""
    time = np.concatenate([np.arange(ROWS) * 1000 + day * DAY for day in days])
    value = np.stack([time, time + 0.5], axis=1).astype("float64")
    names = np.array([f"row {number}" for number in time], dtype=np.dtypes.StringDType())
    return {"time": time, "value": value, "deep/er/flag": (time // 1000 % 100).astype("int8"), "name": names}


def create(place: Path) -> zc.Collection:
    """Make a collection with every kind of file."""
    codecs = zc.codecs.profile("balanced", checksum=True)
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4)
        .with_dimension("x", size=2)
        .with_variable("time", dtype="int64", dimensions=("time",), codecs=codecs)
        .with_variable("value", dtype="float64", dimensions=("time", "x"), codecs=codecs)
        .with_variable("name", dtype="string", dimensions=("time",), codecs=codecs)
        .with_variable("angle", dtype="float64", dimensions=("x",), codecs=codecs)
        .with_group("/deep/er")
        .with_variable("flag", dtype="int8", dimensions=("time",), group="/deep/er", codecs=codecs)
        .build()
    )
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(place, schema=schema, axis="time", partitioning=partitioning)
    collection.insert(rows(1, 2) | {"angle": [1.0, 2.0]})
    collection.insert(rows(3), merge="upsert")
    collection.vacuum(older_than="0s")
    for day in range(40, 52):  # so that the catalog is behind, and readers need records
        collection.insert(rows(day), merge="upsert")
    return collection


DAYS = (1, 2, 3, *range(40, 52))


def leave_staged(collection: zc.Collection) -> None:
    """Commit a change that is not put in its place."""

    def no_power(*_: object) -> None:
        raise zc.StoreError("no power")

    publish, FileStore.publish_all = FileStore.publish_all, no_power
    try:
        with warnings.catch_warnings(action="ignore"):
            collection.insert(rows(2) | {"angle": [1.0, 3.0]}, immutable="replace")
    finally:
        FileStore.publish_all = publish


def kind(key: str) -> str:
    """Return which kind of file it is."""
    return next(name for name, pattern in KINDS.items() if re.fullmatch(pattern, key))


def damages(content: bytes, other: bytes, chance: random.Random) -> Iterator[tuple[str, bytes | None]]:
    """Yield what becomes of a file; None where it is gone."""
    yield "deleted", None
    if content:
        yield "emptied", b""
        yield "of another", other
        for at in sorted({0, len(content) // 2, len(content) - 1, *(chance.randrange(len(content)) for _ in range(6))}):
            flipped = bytearray(content)
            flipped[at] ^= 1 << chance.randrange(8)
            yield f"bit of byte {at} flipped", bytes(flipped)
        for at in {chance.randrange(len(content)) for _ in range(2)}:
            yield f"byte {at} zeroed", content[:at] + b"\0" + content[at + 1 :]
        for size in {1, len(content) // 2, len(content) - 1}:
            yield f"cut to {size} bytes", content[:size]
    yield "grown", content + b"{}"


def values(dataset: zc.Dataset | None) -> dict[str, list[object]]:
    """Return a dataset as values that compare."""
    return {} if dataset is None else {name: item.to_numpy().tolist() for name, item in dataset.all_variables().items()}


def lazily(collection: zc.Collection) -> zc.Dataset:
    """Return all rows by way of lazy variables."""
    dataset = collection.query(lazy=True)
    return zc.Dataset(collection.schema, {name: item.to_numpy() for name, item in dataset.all_variables().items()})


READS: dict[str, Callable[[zc.Collection], object]] = {
    "query": lambda collection: values(collection.query()),
    "lazy query": lambda collection: values(lazily(collection)),
    "query of one": lambda collection: values(
        collection.query(filters="day == 2 and month == 1", variables=["value", "angle"])
    ),
    "query of rows": lambda collection: values(collection.query(where=f"flag >= 1 and time > {DAY} + 2000")),
    "find": lambda collection: {
        path: runs.tolist() for path, runs in collection.find(f"time >= {3 * DAY}").ranges.items()
    },
    "map": lambda collection: collection.map(values),
    "partitions": lambda collection: collection.partitions(),
    "history": lambda collection: [entry.version for entry in collection.history()],
    "changes": lambda collection: collection.changes(since=2),
}


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """Raise `TimeoutError` in what takes too long."""

    def ring(*_: object) -> None:
        message = f"not done after {LIMIT} seconds"
        raise TimeoutError(message)

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)


def is_rolled_back(place: Path, key: str) -> bool:
    """Return whether the record is gone of a change that nobody has put in its place: it never happened."""
    return place.name == "pending" and kind(key) == "record" and not (place / key).exists()


def check(
    place: Path, key: str, whole: dict[str, object], *, has_changed: bool, swapped: bool
) -> tuple[str, list[str]]:
    """Return what became of a damage, and what is wrong with that."""
    failures, wrong = {}, []
    if is_rolled_back(place, key):
        whole = {name: read(zc.open_collection(place.parents[1] / "published")) for name, read in READS.items()}
    for name, read in READS.items():
        try:
            found = read(zc.open_collection(place))
        except ZCollectionError as error:
            failures[name] = error
        else:
            if found != whole[name]:
                wrong.append(f"{name} returned something else")
    try:
        problems = zc.open_collection(place).verify(data=True).problems
    except ZCollectionError as error:
        return "not opened", wrong if failures else [*wrong, f"verify raised {error!r} where all else is read"]
    if failures and not problems:
        wrong.append(f"verify reports nothing, and {failures}")
    if kind(key) in CHUNKS and has_changed and not swapped:
        named = {(problem.partition, f"{problem.partition}/{problem.chunk}") for problem in problems}
        if not any(key.endswith(chunk) for _, chunk in named):
            wrong.append(f"verify names {named}")
    if failures and place.name == "pending" and kind(key) == "record":
        return "for a backup", wrong  # only the record says what is to be put in its place
    wrong += mended(place, whole)
    return ("detected" if failures else "reported" if problems else "harmless"), wrong


def mended(place: Path, whole: dict[str, object]) -> list[str]:
    """Return what is left wrong after a repair and a new insertion of all rows."""
    collection = zc.open_collection(place, mode="rw")
    collection.repair()
    angle = whole["query"]["angle"]
    collection.insert(rows(*DAYS) | {"angle": np.array(angle)}, immutable="replace")
    left = [f"left after a repair and an insertion: {problem}" for problem in collection.verify(data=True).problems]
    return left if values(collection.query()) == whole["query"] else [*left, "rows are wrong after an insertion"]


def cases(place: Path, chance: random.Random) -> Iterator[tuple[str, str, bytes | None]]:
    """Yield the key of a file, what becomes of it, and its new content."""
    keys = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    keys = [key for key in keys if not re.search(r"lock$|\.tmp$|day=(1[0-9]|0[13])/", key)]
    by_kind: dict[str, list[str]] = {}
    for key in keys:
        by_kind.setdefault(kind(key), []).append(key)
    for key in keys:
        alike = by_kind[kind(key)]
        other = alike[(alike.index(key) + 1) % len(alike)] if len(alike) > 1 else chance.choice(keys)
        for what, content in damages((place / key).read_bytes(), (place / other).read_bytes(), chance):
            yield key, f"{what} ({other})" if what == "of another" else what, content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="only every n-th case")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    outcomes: dict[str, Counter[str]] = {}
    violations, misplaced = [], Counter[str]()
    with running.working_directory() as work:
        create(work / "published")
        shutil.copytree(work / "published", work / "pending")
        leave_staged(zc.open_collection(work / "pending", mode="rw"))
        for base in ("published", "pending"):
            whole = {name: read(zc.open_collection(work / base)) for name, read in READS.items()}
            for number, (key, what, content) in enumerate(cases(work / base, random.Random(options.seed))):
                wanted = kind(key).startswith("staged") or "00015" in key if base == "pending" else True
                if number % options.every or kind(key) not in options.kinds or not wanted:
                    continue
                place = work / "damaged" / base
                shutil.copytree(work / base, place)
                before = (place / key).read_bytes()
                (place / key).unlink() if content is None else (place / key).write_bytes(content)
                swapped = what.startswith("of another")
                try:
                    with time_limit():
                        outcome, wrong = check(place, key, whole, has_changed=before != content, swapped=swapped)
                except Exception as error:  # noqa: BLE001 - any is a violation
                    outcome, wrong = "failed", [repr(error)]
                outcomes.setdefault(kind(key), Counter())[outcome] += 1
                if swapped and kind(key) in CHUNKS:  # a checksum tells damaged bytes, not whose they are
                    misplaced["unseen" if wrong else "seen"] += 1
                elif wrong:
                    violations.append(f"{base}, {key}, {what}: {wrong}")
                    print(violations[-1], file=sys.stderr)
                shutil.rmtree(place)
    figures = {"cases": sum(counts.total() for counts in outcomes.values()), "outcomes": outcomes}
    running.finish(figures | {"misplaced chunks": misplaced, "violations": violations}, faults=len(violations))


if __name__ == "__main__":
    main()
