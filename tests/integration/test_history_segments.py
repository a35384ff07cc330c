"""Older versions of collections whose catalog is in segments: they cost the way to the nearest checkpoint, and are complete."""

import anyio
import pytest
import segmenting
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from versions import create, place, rows

import zcollection as zc
from zcollection.plugin import Read
from zcollection.transaction.index import catalog, segments

KINDS = ("memory", "file", "bucket")


@pytest.fixture(autouse=True)
def in_segments(monkeypatch):
    segmenting.patch(monkeypatch, size=4)


def keys(collection, prefix):
    async def listed():
        return [entry.key async for entry in collection.store.list(prefix)]

    return anyio.run(listed)


def roots(collection):
    return [key for key in keys(collection, "_transactions/checkpoints/") if key.endswith(".root")]


def named(collection):
    """Return the segments that the catalog and the checkpoints name."""
    reads = [Read(key) for key in ("_catalog/c/0", *roots(collection))]
    contents = anyio.run(collection.store.get, reads)
    return {key for data in contents for key in catalog.parsed(data).partitions.objects}


def opened(collection, at=None):
    return zc.open_collection(collection.store, at=at)


def forget_what_is_known():
    """Forget what was read of catalogs, as a new process does."""
    segments._CACHE = segments._Cache()
    catalog._RECENT._known = ()


def seen(collection, **asked):
    found = collection.query(**asked)
    if found is None:
        return {}
    return dict(zip(found["time"].to_numpy().tolist(), found["value"].to_numpy().tolist(), strict=True))


def of_days(rows_by_time, days):
    return {time: value for time, value in rows_by_time.items() if time // 86_400 + 1 in days}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "insert", "update", "drop"]), st.sets(st.integers(1, 28), min_size=1, max_size=5)
    ),
    min_size=25,
    max_size=45,
)


@pytest.mark.parametrize(("kind", "examples"), [("memory", 5), ("file", 2), ("bucket", 3)])
def test_random_histories_read_as_they_were_in_whole_and_in_part(kind, examples, tmp_path_factory):
    @settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS, asked=st.sets(st.integers(1, 28), min_size=1, max_size=3), keep=st.integers(1, 30))
    def check(steps, asked, keep):
        made = create(place(kind, tmp_path_factory.mktemp("x")), keep=10**6)
        now, held = {}, {}
        for number, (what, days) in enumerate(steps):
            if what == "insert":
                hours = {24 * (day - 1) + number % 24 for day in days}
                made.insert(rows(hours, number), merge="upsert")
                now = now | {hour * 3600: float(number) for hour in hours}
            elif what == "update":
                made.update(lambda data: {"value": data["value"].to_numpy() + 0.5}, filters=f"day in {tuple(days)}")
                now = now | {time: value + 0.5 for time, value in of_days(now, days).items()}
            else:
                made.drop_partitions(filters=f"day in {tuple(days)}")
                now = {time: value for time, value in now.items() if time not in of_days(now, days)}
            held[made.history(last=1)[0].version] = now
        assert keys(made, "_transactions/segments/")
        assert roots(made)

        def check_all(versions):
            for version in versions:
                was = dict(sorted(held[version].items()))
                old = opened(made, version)
                assert seen(old, filters=f"day in {tuple(asked)}") == of_days(was, asked)
                assert seen(old) == was
                assert len(old.partitions()) == len({time // 86_400 for time in was})
                assert seen(opened(made, version), where=f"value >= {len(steps) // 2}") == {
                    time: value for time, value in was.items() if value >= len(steps) // 2
                }

        check_all(list(held)[::7])
        last = max(held)
        made.tag("early", min(held))
        made.retain(keep)
        made.vacuum(older_than="0s")
        assert made.verify(data=True).is_clean
        assert made.verify().notes == ()
        check_all([min(held), *[version for version in held if version > last + 2 - keep][::5]])
        made.rollback("early")
        assert seen(made) == dict(sorted(held[min(held)].items()))
        assert made.verify(data=True).is_clean

    check()


def many(kind, folder, versions):
    made = create(place(kind, folder), keep=10**6)
    made.insert(rows(range(0, 24 * 28, 6), 0))
    for number in range(1, versions):
        made.insert(rows([24 * (number % 28)], number), merge="upsert")
    return made


@pytest.mark.parametrize("versions", [60, 180])
def test_what_is_read_of_an_older_version_does_not_grow_with_their_number(versions, tmp_path):
    made = many("bucket", tmp_path, versions)
    counts = {}
    for at in (None, versions // 2):
        store = made.store
        store.bucket.requests.clear()
        forget_what_is_known()
        opened(made, at).query(filters="day == 3")
        counts[at] = store.bucket.counts["GET"] + store.bucket.counts["LIST"]
    assert counts[versions // 2] - counts[None] <= 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_vacuum_leaves_the_segments_of_what_is_kept_and_no_other(kind, tmp_path):
    made = many(kind, tmp_path, 70)
    was = {version: seen(opened(made, version)) for version in (1, 40, 60, 70)}
    assert made.verify().notes == ()
    made.vacuum(older_than="0s")
    assert {version: seen(opened(made, version)) for version in was} == was
    assert len(roots(made)) >= 3
    made.retain(12)
    made.vacuum(older_than="0s")
    assert set(keys(made, "_transactions/segments/")) == named(made)
    assert seen(opened(made, 70)) == was[70]
    assert len(roots(made)) <= 3
    made.retain(None)
    made.vacuum(older_than="0s")
    assert roots(made) == []
    assert set(keys(made, "_transactions/segments/")) == named(made)
    assert made.verify(data=True).is_clean
    assert made.verify().notes == ()


@pytest.mark.parametrize("damage", [None, b"", b"not a segment"])
def test_where_a_segment_of_an_older_version_is_lost_its_records_say_the_same(damage, tmp_path):
    made = many("memory", tmp_path, 60)
    was = seen(opened(made, 30))
    newest = seen(made)
    for key in keys(made, "_transactions/segments/"):
        anyio.run(made.store.delete, [key]) if damage is None else anyio.run(made.store.put, {key: damage})
    forget_what_is_known()
    assert seen(opened(made, 30)) == was
    made.repair()
    assert seen(made) == newest
    assert seen(opened(made, 30)) == was
