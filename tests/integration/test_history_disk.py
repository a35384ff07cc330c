"""What older versions take on the disk: after a vacuum what versions need that can be read, and nothing else; with tags alone always."""

import itertools
import json

import anyio
import pytest
import segmenting
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from versions import create, place, rows

import zcollection as zc
from zcollection.plugin import Read

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "insert", "insert", "update", "drop", "delete", "tag", "rollback", "repartition"]),
        st.sets(st.integers(1, 5), min_size=1, max_size=3),
    ),
    min_size=6,
    max_size=24,
)
FIXED = "_immutable"


def objects(collection):
    """Return the size of every object, and what each group document says of itself, by key."""

    async def listed():
        sizes = {entry.key: entry.size async for entry in collection.store.list("", recursive=True)}
        documents = [key for key in sizes if key.endswith("/zarr.json")]
        contents = await collection.store.get([Read(key) for key in documents])
        return sizes, dict(zip(documents, contents, strict=True))

    return anyio.run(listed)


def groups(collection):
    """Return the prefix and the size of each group of a version, by its path and its stamp."""
    sizes, documents = objects(collection)
    found = {}
    for key, data in documents.items():
        said = json.loads(data).get("attributes", {}).get("zcollection")
        said = said and json.loads(said)
        if said and "stamp" in said:
            prefix = key.removesuffix("zarr.json")
            path = prefix.rstrip("/")
            if path.startswith("_transactions/kept/"):
                path = path.split("/", 3)[3]
            size = sum(size for each, size in sizes.items() if each.startswith(prefix))
            found.setdefault((path, said["stamp"]), []).append((prefix, size))
    return found


class Ledger:
    """What each version of a collection consists of, as it was seen when it was the newest."""

    def __init__(self, collection):
        self.collection, self.values, self.names = collection, itertools.count(1), itertools.count()
        self.held, self.sizes, self.rows, self.tags = {}, {}, {}, {}
        self.note()

    def note(self):
        self.newest = self.collection.history(last=1)[0].version
        there = {
            each: size
            for each, items in groups(self.collection).items()
            for prefix, size in items
            if not prefix.startswith("_transactions/")
        }
        self.sizes |= there
        self.held[self.newest] = set(there)
        found = self.collection.query()
        self.rows[self.newest] = [] if found is None else rows_of(found)

    def act(self, what, days):
        made, days = self.collection, tuple(days)
        if what == "insert":
            value = next(self.values)
            made.insert(rows([24 * (day - 1) + value % 24 for day in days], value), merge="upsert")
        elif what == "update" and made.partitions():
            made.update(lambda data: {"value": data["value"].to_numpy() + 1}, where=f"time < {86_400 * max(days)}")
        elif what == "drop":
            made.drop_partitions(filters=f"month == {min(days)}")
        elif what == "delete":
            made.delete(where=f"time < {86_400 * min(days)}")
        elif what == "tag":
            name = f"t{next(self.names)}"
            made.tag(name)
            self.tags[name] = made.tags()[name]
        elif what == "rollback" and self.tags:
            made.rollback(next(iter(self.tags)))
        elif what == "repartition" and made.partitions():
            made.repartition("date:M" if "/day=" in made.partitions()[0] else "date:D")
        self.note()

    def needed(self, versions):
        return set().union(*(self.held[version] for version in versions))

    def check(self, versions):
        """Check that these versions read as they were, and that all groups are there that they need, once, and no other."""
        found = groups(self.collection)
        assert set(found) == self.needed(versions)
        assert {each: size for each, ((_, size),) in found.items()} == {each: self.sizes[each] for each in found}
        for version in self.held:
            if version in versions:
                then = zc.open_collection(self.collection.store, at=version).query()
                assert ([] if then is None else rows_of(then)) == self.rows[version]
            else:
                with pytest.raises(zc.errors.SettingError, match="not kept"):
                    zc.open_collection(self.collection.store, at=version)


def rows_of(found):
    return sorted(zip(found["time"].to_numpy().tolist(), found["value"].to_numpy().tolist(), strict=True))


def segmented(monkeypatch, size):
    if size:
        segmenting.patch(monkeypatch, size=size)


@pytest.mark.parametrize(("kind", "examples", "size"), [("memory", 10, None), ("memory", 5, 2), ("bucket", 5, None)])
def test_after_a_vacuum_there_is_what_the_versions_need_that_can_be_read(kind, examples, size, tmp_path, monkeypatch):
    segmented(monkeypatch, size)

    @settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS, keep=st.integers(1, 12) | st.none())
    def check(steps, keep):
        ledger = Ledger(create(place(kind, tmp_path), keep=10**6))
        for what, days in steps:
            ledger.act(what, days)
        ledger.collection.retain(keep)
        ledger.note()
        last = ledger.newest
        ledger.collection.vacuum(older_than="0s")
        ledger.note()
        recent = {version for version in ledger.held if keep is not None and version >= last - keep}
        ledger.check(recent | {ledger.newest} | set(ledger.tags.values()))
        sizes, _ = objects(ledger.collection)
        needed = sum(ledger.sizes[each] for each in ledger.needed(recent | {ledger.newest} | set(ledger.tags.values())))
        data = {key: size for key, size in sizes.items() if "year=" in key or key.startswith(FIXED)}
        paths = {key for key in data if key.endswith("zarr.json") and key.count("/") < 3}  # of years and months
        assert sum(size for key, size in data.items() if key not in paths) <= 1.05 * needed
        assert not [key for key in sizes if key.startswith("_transactions/stage/")]
        assert ledger.collection.verify(data=True).is_clean

    check()


@pytest.mark.parametrize(("kind", "examples", "size"), [("memory", 10, None), ("memory", 5, 2), ("bucket", 5, None)])
def test_with_tags_alone_what_they_need_is_kept_and_nothing_else(kind, examples, size, tmp_path, monkeypatch):
    segmented(monkeypatch, size)

    @settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS)
    def check(steps):
        ledger = Ledger(create(place(kind, tmp_path)))
        for what, days in steps:
            ledger.act(what, days)
            ledger.check({ledger.newest, *ledger.tags.values()})
        for name in [*ledger.tags][::2]:
            ledger.collection.untag(name)
            del ledger.tags[name]
            ledger.note()
        ledger.collection.vacuum(older_than="0s")
        ledger.note()
        ledger.check({ledger.newest, *ledger.tags.values()})
        ledger.collection.retain(3)  # what was replaced before is not there
        ledger.note()
        ledger.act("insert", {1})
        ledger.check({ledger.newest - 1, ledger.newest, *ledger.tags.values()})

    check()


def test_versions_that_were_kept_are_refused_once_nothing_is_kept(tmp_path):
    made = create(f"{tmp_path}/c", keep=9)
    made.insert(rows(range(24), 1))
    made.insert(rows(range(24), 2))
    made.retain(None)
    with pytest.raises(
        zc.errors.SettingError, match=r"version 1 .* is not kept; accepted: 3, the newest, .*call retain"
    ):
        zc.open_collection(f"{tmp_path}/c", at=1)
    made.insert(rows(range(24), 3))
    made.retain(9)
    with pytest.raises(zc.errors.SettingError, match="version 2 .* is not kept"):
        zc.open_collection(f"{tmp_path}/c", at=2)


def test_a_tag_costs_the_requests_of_its_checkpoint_however_long_ago_it_was(tmp_path):
    made = create(place("bucket", tmp_path))
    made.insert(rows(range(0, 24 * 20, 12), 0))
    made.tag("then")
    counts = {}
    for number in range(1, 130):
        made.store.bucket.requests.clear()
        made.insert(rows([24 * (number % 20)], number), merge="upsert")
        counts[number] = made.store.bucket.counts["GET"] + made.store.bucket.counts["LIST"]
    first, last = (sum(counts[number] for number in span) for span in (range(20, 36), range(100, 116)))
    assert last <= 1.3 * first
