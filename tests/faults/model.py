"""A collection against a dictionary of rows, through crashes and bit rot: ``python tests/faults/model.py``.

After a crash the model is two states, of which the next read must be one. After bit rot nobody gets another value than
was written, a verification that reports nothing is right, and the collection can be made whole again.
"""

import argparse
import itertools
import shutil
import tempfile
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import anyio
import mortal
import numpy as np
import running
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import zcollection as zc
from zcollection.contracts.objects import Read
from zcollection.errors import ZCollectionError

SIZE = 10
Rows = dict[int, dict[int, float]]
"""Values by time, by partition."""

TIMES = st.sets(st.integers(0, 4 * SIZE - 1), min_size=1, max_size=7)
PARTS = st.sets(st.integers(0, 3), min_size=1, max_size=3)
MERGES = st.sampled_from([None, "replace", "concat", "time_series", "upsert"])
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def parts(rows: dict[int, float]) -> Rows:
    """Return rows by partition."""
    ordered = sorted(rows.items())
    return {part: dict(group) for part, group in itertools.groupby(ordered, key=lambda item: item[0] // SIZE)}


def merged(state: Rows, rows: dict[int, float], merge: str | None) -> Rows:
    """Return the rows after an insertion."""
    result = dict(state)
    for part, inserted in parts(rows).items():
        old = state.get(part, {})
        kept = old if merge in {"concat", "upsert"} else {}
        if merge == "time_series":
            kept = {time: value for time, value in old.items() if not min(inserted) <= time <= max(inserted)}
        result[part] = kept | inserted
    return result


class Machine(RuleBasedStateMachine):
    """What users, crashes and disks do to a collection."""

    kind: ClassVar[str] = "memory"
    with_catalog: ClassVar[bool] = True
    counts: ClassVar[Counter[str]] = Counter()
    numbers: ClassVar[Any] = itertools.count()

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zcollection-model-", dir=running.SHARED_MEMORY))
        self.url = f"memory://{self.folder.name}" if self.kind == "memory" else str(self.folder / "collection")
        self.values = itertools.count(1)
        self.states: list[Rows] = [{}]
        self.before: Rows = {}
        self._make()

    def _make(self, **options: object) -> None:
        codecs = zc.codecs.profile("balanced", checksum=True)
        schema = (
            zc.Schema()
            .with_dimension("row", chunks=4)
            .with_variable("time", dtype="int64", dimensions=("row",), codecs=codecs)
            .with_variable("value", dtype="float64", dimensions=("row",), codecs=codecs)
            .build()
        )
        partitioning = zc.partitioning.GroupedSequence(("time",), dimension="row", size=SIZE)
        self.collection = zc.create_collection(
            self.url,
            schema=schema,
            axis="time",
            partitioning=partitioning,
            catalog_enabled=self.with_catalog,
            **options,
        )

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)
            if self.kind == "memory":
                from zcollection_store_memory.store import forget

                forget(self.url)

    # What is done, and what then is there.

    def _rows(self, times: set[int]) -> dict[int, float]:
        return {time: float(next(self.values)) for time in sorted(times)}

    def _insertion(self, times: set[int], merge: str | None) -> Any:
        taken = {time for state in self.states for part in state.values() for time in part}
        rows = self._rows(times - taken if merge == "concat" else times)
        given = {"time": np.array(list(rows), dtype="int64"), "value": np.array(list(rows.values()))}
        if not rows:
            return None
        return lambda col: col.insert(given, merge=merge), lambda state: merged(state, rows, merge)

    def _update(self, chosen: set[int]) -> Any:
        def change(dataset: zc.Dataset) -> dict[str, Any]:
            return {"value": dataset["value"].to_numpy() + 1000}

        def after(state: Rows) -> Rows:
            more = {part: {time: value + 1000 for time, value in state[part].items()} for part in chosen & state.keys()}
            return state | more

        return lambda col: col.update(change, filters=self._filter(chosen)), after

    def _drop(self, chosen: set[int]) -> Any:
        def after(state: Rows) -> Rows:
            return {part: rows for part, rows in state.items() if part not in chosen}

        return lambda col: col.drop_partitions(filters=self._filter(chosen)), after

    def _filter(self, chosen: set[int]) -> str:
        return f"time in ({', '.join(str(part * SIZE) for part in sorted(chosen))},)"

    def _upkeep(self, name: str) -> Any:
        acts = {
            "vacuum": lambda col: col.vacuum(older_than="0s"),
            "repair": lambda col: col.repair(),
            "repair_catalog": lambda col: col.repair_catalog(),
        }
        return acts[name], lambda state: state

    def _do(self, change: Any) -> None:
        self._resolve()
        act, after = change
        act(self.collection)
        self._commit([after(self.states[0])])

    def _commit(self, states: list[Rows]) -> None:
        self.before, self.states = self.states[0], states

    @rule(times=TIMES, merge=MERGES)
    def insert(self, times: set[int], merge: str | None) -> None:
        self._resolve()
        if (change := self._insertion(times, merge)) is not None:
            self._do(change)
            self.counts["insert"] += 1

    @rule(chosen=PARTS)
    def update(self, chosen: set[int]) -> None:
        self._do(self._update(chosen))
        self.counts["update"] += 1

    @rule(chosen=PARTS)
    def drop(self, chosen: set[int]) -> None:
        self._do(self._drop(chosen))
        self.counts["drop"] += 1

    @rule(name=st.sampled_from(["vacuum", "repair", "repair_catalog"]))
    def keep_up(self, name: str) -> None:
        self._upkeep(name)[0](self.collection)
        self.counts[name] += 1
        if name == "repair":
            assert self.collection.verify(data=True).problems == ()

    @rule()
    def reopen(self) -> None:
        self.collection = zc.open_collection(self.url, mode="rw")
        self.counts["reopen"] += 1

    @rule(lazy=st.booleans())
    def query(self, lazy: bool) -> None:
        self.counts["lazy query" if lazy else "query"] += 1
        self._resolve(lazy=lazy)

    @rule(part=st.integers(0, 3))
    def query_one(self, part: int) -> None:
        self._resolve()
        found = self._read(self.collection.query(filters=self._filter({part})))
        assert found == {key: rows for key, rows in self.states[0].items() if key == part}
        self.counts["query of one"] += 1

    @rule()
    def verify(self) -> None:
        self.collection.repair()
        self._resolve()
        assert self.collection.verify(data=True).problems == ()
        self.counts["verify"] += 1

    def _read(self, dataset: zc.Dataset | None) -> Rows:
        if dataset is None:
            return {}
        pairs = list(zip(dataset["time"].to_numpy().tolist(), dataset["value"].to_numpy().tolist(), strict=True))
        assert len({time for time, _ in pairs}) == len(pairs), "a row is there twice"
        return parts(dict(pairs))

    def _resolve(self, *, lazy: bool = False) -> None:
        """Read, and know from then on which state it is."""
        found = self._read(self.collection.query(lazy=lazy))
        assert found in self.states, f"found {found}, expected one of {self.states}"
        self.states = [found]

    # What goes wrong.

    @rule(
        data=st.data(),
        steps=st.integers(0, 45),
        what=st.sampled_from(["insert", "update", "drop", "vacuum", "repair", "repair_catalog"]),
    )
    def crash(self, data: st.DataObject, steps: int, what: str) -> None:
        """Let a process die on its way."""
        self._resolve()
        change = self._drawn(data, what)
        if change is None:
            return
        act, after = change
        store = mortal.Mortal.before(self.collection.store, steps)
        try:
            with warnings.catch_warnings(action="ignore"):
                act(zc.open_collection(store, mode="rw"))
        except mortal.DiedError:
            self._commit([self.states[0], after(self.states[0])])
            self.counts[f"crash of {what}"] += 1
        else:
            self._commit([after(self.states[0])])

    def _drawn(self, data: st.DataObject, what: str) -> Any:
        if what == "insert":
            return self._insertion(data.draw(TIMES), data.draw(MERGES))
        if what in {"update", "drop"}:
            return {"update": self._update, "drop": self._drop}[what](data.draw(PARTS))
        return self._upkeep(what)

    @rule(data=st.data(), how=st.sampled_from(["flipped", "cut", "deleted"]))
    def rot(self, data: st.DataObject, how: str) -> None:
        """Let the disk damage an object, and make the collection whole again."""
        self._resolve()
        store = self.collection.store
        keys = anyio.run(self._keys, store)
        key = data.draw(st.sampled_from(keys))
        anyio.run(self._damage, store, key, how, data.draw(st.integers(0, 10**6)))
        self.counts[how] += 1
        lost_record = how == "deleted" and "/log/" in key  # of what is not in its place: it never happened
        allowed = [self.states[0], *([self.before] if lost_record else [])]
        found = self._survey(allowed)
        self.states = [found or self.states[0]]
        self._heal()

    async def _keys(self, store: Any) -> list[str]:
        return [entry.key async for entry in store.list("", recursive=True)]

    async def _damage(self, store: Any, key: str, how: str, number: int) -> None:
        (content,) = await store.get([Read(key)])
        if how == "deleted" or not content:
            await store.delete([key])
            return
        at = number % len(content)
        flipped = content[:at] + bytes([content[at] ^ 1 << number % 8]) + content[at + 1 :]
        await store.put({key: flipped if how == "flipped" else content[:at]})

    def _survey(self, allowed: list[Rows]) -> Rows | None:
        """Read in each way: what is returned must be right. Return what it was."""
        found, failed = None, False
        for read in (lambda col: col.query(), lambda col: col.query(lazy=True)):
            try:
                found = self._read(read(zc.open_collection(self.url)))
            except ZCollectionError:
                failed = True
                continue
            assert found in allowed, f"found {found} after damage, expected one of {allowed}"
        with suppress(ZCollectionError):
            problems = zc.open_collection(self.url).verify(data=True).problems
            assert problems or not failed, "a verification reports nothing, and reading fails"
            self.counts["harmless" if not failed else "detected"] += 1
        return found

    def _heal(self) -> None:
        """Repair, insert again what is damaged, and where even that fails make the collection anew."""
        try:
            self.collection = zc.open_collection(self.url, mode="rw")
            self.collection.repair()
            if not self.collection.verify(data=True).is_clean:
                self._insert_all()
                self.counts["inserted again"] += 1
            assert self.collection.verify(data=True).problems == ()
        except ZCollectionError:
            self.counts["made anew"] += 1
            self._make(overwrite=True)
            self._insert_all()
        assert self._read(self.collection.query()) == self.states[0]

    def _insert_all(self) -> None:
        rows = {time: value for part in self.states[0].values() for time, value in part.items()}
        if rows:
            given = {"time": np.array(list(rows), dtype="int64"), "value": np.array(list(rows.values()))}
            self.collection.insert(given)

    @invariant()
    def counted(self) -> None:
        self.counts["steps"] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=400, help="in all, spread over the stores")
    parser.add_argument("--steps", type=int, default=30, help="of each example")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = settings(
        max_examples=options.examples // 4,
        stateful_step_count=options.steps,
        deadline=None,
        database=None,
        suppress_health_check=SLOW,
    )
    for kind, with_catalog in itertools.product(("memory", "file"), (True, False)):
        machine = type(
            f"{kind} {'with' if with_catalog else 'without'} catalog",
            (Machine,),
            {"kind": kind, "with_catalog": with_catalog},
        )
        run_state_machine_as_test(seed(options.seed)(machine), settings=chosen)
    running.finish({"examples": options.examples, "counts": dict(sorted(Machine.counts.items()))}, faults=0)


if __name__ == "__main__":
    main()
