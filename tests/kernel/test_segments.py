"""Large catalogs lie in segments: what is read and written is what is concerned, and nothing is ever silently left out."""

import itertools
import json
import warnings
from functools import partial

import anyio
import fakes
import numpy as np
import pytest
import samples
import segmenting
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.collection import key_selection
from zcollection.collection.filters import compile_filter, may_pass
from zcollection.contracts.partitioning import Key
from zcollection.engine.work import perform_here
from zcollection.errors import ExpressionError, FormatVersionError
from zcollection.model import documents
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY
from zcollection.transaction import documents as stored_documents
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.index import catalog, segments
from zcollection.transaction.index.limits import Limits
from zcollection.transaction.index.partitions import Partitions
from zcollection.transaction.index.segments import Segments, key_of
from zcollection.transaction.log import snapshots
from zcollection.transaction.log import versioning as log_versioning

FOLDER = "_transactions/segments/"
TIMES = [*range(0, 400, 10)]


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch):
    monkeypatch.setattr(segments, "_CACHE", segments._Cache())


@pytest.fixture
def small(monkeypatch):
    segmenting.patch(monkeypatch, size=4, most_whole=8)


@pytest.fixture
def collection(small, url):
    return samples.create(url, TIMES)


def segments_of(collection):
    return {key for key in collection.store.data if key.startswith(FOLDER)}


def form(collection):
    head, _, body = catalog._decode(collection.store.data["_catalog/c/0"]).partition(b"\n")
    return json.loads(head)["format_version"], json.loads(body)


def read_of(collection, monkeypatch):
    """Return the keys that are read from now on."""
    keys, get = [], fakes.DictStore.get

    async def counting(self, reads):
        keys.extend(read.key for read in reads)
        return await get(self, reads)

    monkeypatch.setattr(fakes.DictStore, "get", counting)
    return keys


# What is stored


def record(key, *, rows=1, limits=None):
    return PartitionRecord(key=key, rows=rows, stamp="0" * 32, layout=0, axis_range=limits)


def path_of(key):
    return f"name={key['name']}/number={key['number']}/up={'true' if key['up'] else 'false'}"


KEYS = st.builds(
    lambda name, number, up: {"name": name, "number": number, "up": up},
    st.sampled_from("ab"),
    st.integers(-3, 3),
    st.booleans(),
)
CHANGES = st.lists(st.tuples(st.lists(KEYS, max_size=6), st.lists(KEYS, max_size=6), st.integers(1, 9)), max_size=8)


@examples(40)
@given(st.lists(KEYS, min_size=1), CHANGES)
def test_changed_segments_hold_what_a_dictionary_does(keys, changes):
    with pytest.MonkeyPatch.context() as patch:
        segmenting.patch(patch, size=4)
        model = {path_of(key): record(key) for key in keys}
        objects = {}
        known = written(Segments.of(Partitions(model)), objects)
        for put, dropped, rows in changes:
            new = {path_of(key): record(key, rows=rows) for key in put}
            gone = {path_of(key) for key in dropped} - new.keys()
            needed = held(known, known.to_change(new, gone), objects)
            model = {path: model[path] for path in model if path not in gone} | new
            known = written(needed.changed(new, gone), objects)
            check(known, model, objects)


def written(known, objects):
    """Write segments, and return them as the next reader of the root has them."""
    named, new, obsolete = known.to_write(1)
    assert not new.keys() & objects.keys()
    objects |= new
    for key in obsolete:
        del objects[key]
    assert named.objects == objects.keys()
    return Segments.from_json(json.loads(json.dumps(named.to_json())))


def held(known, positions, objects):
    segments._CACHE.__init__()
    (found,) = perform_here(InMemory(objects), [known.loading(positions)])
    return found


class InMemory:
    """Objects of which one reads."""

    def __init__(self, objects):
        self.blocking, self.objects = self, objects

    def get(self, reads):
        return [self.objects.get(read.key) for read in reads]


def check(known, model, objects):
    whole = held(known, known.containing(None), objects)
    expected = dict(sorted(model.items(), key=lambda item: tuple(item[1].key.values())))
    assert dict(whole.for_candidates()) == expected
    assert list(whole.for_candidates()) == list(expected)
    assert whole.for_candidates().partition_keys() == tuple(Key(item.key) for item in expected.values())
    assert len(known) == len(model)
    assert all(part and len(part) <= segments.SIZE for part in whole.loaded.values())
    for path in ["name=b/number=9/up=true", *model]:
        some = held(known, known.containing([path]), objects)
        assert some.get(path) == model.get(path)
        assert len(some.loaded) <= 1


def test_only_the_segments_that_a_change_falls_into_are_written(small):
    model = {f"number={at:03}": record({"number": at}, limits=(at, at + 1)) for at in range(100)}
    objects = {}
    known = written(Segments.of(Partitions(model)), objects)
    before = set(objects)
    some = held(known, known.to_change(["number=050"], ["number=010"]), objects)
    after = written(some.changed({"number=050": record({"number": 50}, rows=7)}, ["number=010"]), objects)
    assert len(set(objects) - before) == 2
    assert sorted(after.retired) == sorted(set(known.described["name"]) - set(after.described["name"]))
    assert len(after.retired) == 2


def test_what_arrives_at_the_end_fills_segments(small):
    objects = {}
    known = written(Segments.of(Partitions({"number=0": record({"number": 0})})), objects)
    for at in range(1, 50):
        new = {f"number={at}": record({"number": at})}
        known = written(held(known, known.to_change(new, []), objects).changed(new, []), objects)
    assert list(known.described["count"]) == [*[4] * 12, 2]


def test_what_has_become_small_is_joined_with_its_neighbour(small, monkeypatch):
    monkeypatch.setattr(segments, "SIZE", 16)
    model = {f"number={at:03}": record({"number": at}) for at in range(160)}
    objects = {}
    known = written(Segments.of(Partitions(model)), objects)
    for at in range(160):
        if at % 8:
            path = f"number={at:03}"
            known = written(held(known, known.to_change([], [path]), objects).changed({}, [path]), objects)
    assert len(known) == 20
    assert len(known.described["name"]) <= 6


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("name=a%20b/number=-07/up=true", ("a b", -7, True)),
        ("name=a/number=7/up=maybe", None),
        ("name=a/number=x/up=true", None),
        ("name=a/other=7/up=true", None),
        ("name=%FF/number=7/up=true", None),
        ("name=a/number=7", None),
    ],
)
def test_a_path_says_its_key(path, key):
    assert key_of(path, {"name": ["a"], "number": [1], "up": [True]}) == key


def test_partitions_whose_paths_do_not_say_their_keys_are_not_cut():
    with pytest.raises(zc.CorruptionError, match="does not match its key"):
        Segments.of(Partitions({"number=1": record({"number": 2})}))


@pytest.mark.parametrize("name", ["", "../../log/0", "1-0123456789abcdef-0/", "x"])
def test_a_root_that_names_what_is_no_segment_is_not_believed(small, name):
    (root, *_) = Segments.of(Partitions({"number=1": record({"number": 1})})).to_write(3)
    value = json.loads(json.dumps(root.to_json()))
    assert len(Segments.from_json(value)) == 1
    with pytest.raises(zc.CorruptionError, match="segments cannot be parsed"):
        Segments.from_json(value | {"retired": [name]})
    with pytest.raises(zc.CorruptionError, match="segments cannot be parsed"):
        Segments.from_json(value | {"name": [name]})


# What may be where

FILTERS = [
    "year == 2020",
    "2020 < year <= 2022 and month in (1, 2, 12)",
    "year in range(2019, 2022) and not month == 3",
    "platform == 'S3A' and year >= 2021",
    "platform in ('S3B', 'SARAL') or month > 10",
    "year * 100 + month >= 202106",
    "month % 2 == 0 and year == 2021",
    "year // 10 == 202 and -month < -6",
    "ascending and year == 2021",
    "not ascending or platform != 'S3A'",
    "1 / (month - 3) > 0 and year == 2020",
    "platform < 3",
    "year == '2020'",
    "year",
    "True",
    "1 == 2",
    {"year": 2020},
    {"year": [2019, 2022], "month": range(3, 5)},
    {"platform": {"S3A", "SARAL"}, "ascending": True},
    {"platform": 3},
    {"year": [2020, "x"]},
    {"month": []},
]
FIELDS = ("platform", "year", "month", "ascending")
EACH = [
    dict(zip(FIELDS, values, strict=True))
    for values in itertools.product(("S3A", "S3B", "SARAL"), range(2018, 2024), range(1, 13), (False, True))
]


def chosen(filters, keys):
    columns = {name: [key[name] for key in keys] for name in FIELDS}
    return list(compile_filter(filters, FIELDS)(columns))


@examples(40)
@given(st.sampled_from(range(len(FILTERS))), st.integers(1, 60))
def test_no_stretch_is_left_out_that_holds_what_a_filter_selects(number, size):
    filters = FILTERS[number]
    stretches = [EACH[start : start + size] for start in range(0, len(EACH), size)]
    limits = Limits.of(
        *(
            {name: [choose(key[name] for key in each) for each in stretches] for name in FIELDS}
            for choose in (min, max)
        ),
        [None] * len(stretches),
    )
    may = may_pass(filters, FIELDS, limits)
    left = [key for each, wanted in zip(stretches, may, strict=True) if wanted for key in each]
    try:
        expected = [EACH[at] for at in chosen(filters, EACH)]
    except ExpressionError:
        with pytest.raises(ExpressionError):
            chosen(filters, left)
        return
    assert [left[at] for at in chosen(filters, left)] == expected


@pytest.mark.parametrize(
    ("filters", "most"), [("year == 2020", 2), ({"platform": "S3B", "year": [2019]}, 2), ("platform == 'S3A'", 7)]
)
def test_stretches_without_what_a_filter_selects_are_left_out(filters, most):
    stretches = [EACH[start : start + 24] for start in range(0, len(EACH), 24)]
    limits = Limits.of(
        *(
            {name: [choose(key[name] for key in each) for each in stretches] for name in FIELDS}
            for choose in (min, max)
        ),
        [None] * len(stretches),
    )
    per_platform = 3 if filters == "year == 2020" else 1
    assert may_pass(filters, FIELDS, limits).sum() <= most * per_platform


# Collections


def test_a_small_catalog_is_one_object(small, url):
    collection = samples.create(url, TIMES[:8])
    version, body = form(collection)
    assert version == 1
    assert "partitions" in body
    assert segments_of(collection) == set()
    assert b"segments" not in collection.store.data["_zcollection.json"]


def test_the_change_by_which_there_are_many_takes_the_new_form(small, url):
    collection = samples.create(url, TIMES[:8])
    other = zc.open_collection(collection.store, mode="rw")
    before = json.loads(collection.store.data["_zcollection.json"])["format_version"]
    assert before < documents.WITH_SEGMENTS
    collection.insert(samples.rows([80]))
    stored = json.loads(collection.store.data["_zcollection.json"])
    assert (stored["format_version"], stored["segments"]) == (documents.WITH_SEGMENTS, True)
    other.insert(samples.rows([90]))  # opened before
    assert form(collection)[0] == 2
    samples.assert_rows(other.query(), [*TIMES[:8], 80, 90])
    assert collection.verify(data=True).is_clean


def older_release(monkeypatch):
    monkeypatch.setattr(documents, "NEWEST", documents.WITH_STATISTICS)
    stored_documents._loaded.cache_clear()


def test_an_older_release_refuses_a_collection_with_segments_and_changes_nothing(collection, monkeypatch):
    opened = zc.open_collection(collection.store, mode="rw")
    older_release(monkeypatch)
    before = dict(collection.store.data)
    with pytest.raises(FormatVersionError, match="format version 4; accepted: up to 3"):
        zc.open_collection(collection.store, mode="rw")
    assert opened.partitions()  # it holds what it has read
    assert collection.store.data == before
    stored_documents._loaded.cache_clear()


def test_an_older_release_that_has_it_open_refuses_it_too(small, url, monkeypatch):
    collection = samples.create(url, TIMES[:8])
    opened = zc.open_collection(collection.store, mode="rw")
    collection.insert(samples.rows([80, 90]))
    older_release(monkeypatch)
    before = dict(collection.store.data)
    for act in (opened.query, lambda: opened.insert(samples.rows([100]))):
        with pytest.raises(FormatVersionError, match="upgrade zcollection"):
            act()
    after = {key: data for key, data in collection.store.data.items() if "/stage/" not in key}
    assert after == before
    stored_documents._loaded.cache_clear()


def test_a_collection_that_is_replaced_by_a_small_one_has_one_object_again(collection, url):
    again = zc.create_collection(
        url, schema=samples.SCHEMA, axis="time", partitioning=samples.quotient(), overwrite=True
    )
    again.insert(samples.rows([5]))
    assert form(again)[0] == 1
    assert segments_of(again) == set()
    assert again.verify(data=True).is_clean
    samples.assert_rows(again.query(), [5])


def test_a_copy_is_in_segments_at_once(collection, url):
    copy = collection.copy(f"{url}-copy")
    assert form(copy)[0] == 2
    assert copy.partitions() == collection.partitions()
    assert copy.verify(data=True).is_clean


def test_a_query_reads_the_segments_that_are_concerned(collection, monkeypatch):
    keys = read_of(collection, monkeypatch)
    for ask, most in [
        (lambda it: it.query(filters="quotient == 17"), 1),
        (lambda it: it.query(filters={"quotient": 17}), 1),
        (lambda it: it.query(where="170 <= time < 180"), 1),
        (lambda it: it.count("time == 170", filters="sign == 'plus'"), 1),
        (lambda it: it.map(len, filters="quotient == 17"), 1),
        (lambda it: it.keys(filters="quotient in range(17, 19)"), 2),
        (lambda it: it.partitions(), 10),
    ]:
        segments._CACHE.__init__()
        keys.clear()
        assert ask(zc.open_collection(collection.store))
        assert 1 <= len([key for key in keys if key.startswith(FOLDER)]) <= most


def test_a_change_reads_and_writes_the_segments_that_are_concerned(collection, monkeypatch):
    keys = read_of(collection, monkeypatch)
    for change, most in [
        (lambda it: it.insert(samples.rows([175]), merge="append"), 1),
        (lambda it: it.update(lambda data: {"value": data["value"].to_numpy()}, filters="quotient == 17"), 1),
        (lambda it: it.delete("time == 175"), 1),
        (lambda it: it.drop_partitions(filters="quotient == 17"), 1),
        (lambda it: it.vacuum(), 1),
    ]:
        segments._CACHE.__init__()
        keys.clear()
        change(zc.open_collection(collection.store, mode="rw"))
        assert len([key for key in keys if key.startswith(FOLDER)]) <= most


def test_a_checkpoint_writes_one_segment_and_retires_one(collection):
    before = segments_of(collection)
    for time in range(16):
        collection.insert(samples.rows([170 + time % 10]), merge="append")
    after = segments_of(collection)
    assert before <= after
    assert len(after - before) == 1
    for time in range(16):
        collection.insert(samples.rows([170 + time % 10]), merge="append")
    assert len(before - segments_of(collection)) == 1  # nobody can need it any more
    assert collection.verify(data=True).is_clean


@pytest.mark.skipif("date" not in REGISTRY.names(Family.PARTITIONING), reason="without plugins")
def test_old_partitions_are_dropped_by_the_limits_of_the_axis(url, small, monkeypatch):
    schema = (
        zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",)).build()
    )
    collection = zc.create_collection(
        url, schema=schema, axis="time", partitioning=zc.partitioning.Date(("time",), "D")
    )
    days = np.datetime64("2024-01-01", "s") + np.arange(40) * np.timedelta64(1, "D")
    collection.insert({"time": days})
    segments._CACHE.__init__()
    keys = read_of(collection, monkeypatch)
    dropped = zc.open_collection(collection.store, mode="rw").drop_partitions(older_than="2024-01-03")
    assert dropped == ("year=2024/month=01/day=01", "year=2024/month=01/day=02")
    assert len([key for key in keys if key.startswith(FOLDER)]) == 1


def test_rows_that_were_found_are_read_again(collection, monkeypatch):
    rows = collection.find("165 <= time < 185")
    collection.insert(samples.rows([181]), merge="append")
    keys = read_of(collection, monkeypatch)
    segments._CACHE.__init__()
    samples.assert_rows(zc.open_collection(collection.store).query(where=rows), [170, 180, 181])
    assert len([key for key in keys if key.startswith(FOLDER)]) <= 2


def test_a_snapshot_never_lacks_a_partition_silently(collection):
    opened = zc.open_collection(collection.store)._opened
    candidates = key_selection.candidates_of(opened, "quotient == 17")

    async def some():
        return await snapshots.take(collection.store, opened.configuration, candidates=candidates)

    taken = anyio.run(some)
    assert list(key_selection.where(opened, taken, "quotient == 17")) == ["sign=plus/quotient=17"]
    assert taken.record("sign=plus/quotient=17") is not None
    for ask in (
        lambda: taken.partitions,
        lambda: key_selection.where(opened, taken, "quotient == 3"),
        lambda: taken.record("sign=plus/quotient=3"),
        lambda: taken.record("no path of ours"),
    ):
        with pytest.raises(AssertionError, match="is not loaded"):
            ask()


@pytest.mark.parametrize("filters", [None, "quotient > 20", {"quotient": [1, 30]}, lambda key: key["quotient"] % 2])
def test_keys_partitions_and_records_agree(collection, filters):
    collection.insert(samples.rows([15, 405, 406, -1]), merge="append")
    collection.drop_partitions(filters="quotient == 21")
    every = {key: path for path, key in zip(collection.partitions(), collection.keys(), strict=True)}
    times = sorted({*TIMES, 405, -1} - {210})
    assert {key["quotient"] for key in every} == {time // 10 for time in times}
    assert list(every) == sorted(every)
    columns = {name: [key[name] for key in every] for name in ("sign", "quotient")}
    expected = [list(every)[at] for at in compile_filter(filters, ["sign", "quotient"])(columns)]
    assert list(collection.keys(filters=filters)) == expected
    assert list(collection.partitions(filters=filters)) == [every[key] for key in expected]
    records = collection.records(filters=filters)
    assert [Key(records[path].key) for path in records] == expected
    assert collection.count(filters=filters) == sum(item.rows for item in records.values())


# What goes wrong


def spoil_root(data):
    data["_catalog/c/0"] = data["_catalog/c/0"][:-4]


def spoil_segment(data):
    key = sorted(key for key in data if key.startswith(FOLDER))[3]
    data[key] = data[key][:-4]


def lose_segment(data):
    del data[sorted(key for key in data if key.startswith(FOLDER))[3]]


def lose_all(data):
    for key in [key for key in data if key.startswith(FOLDER)]:
        del data[key]


SPOILED = pytest.mark.parametrize("spoil", [spoil_root, spoil_segment, lose_segment, lose_all])


@SPOILED
def test_a_wrong_or_lost_segment_hides_nothing(collection, spoil):
    spoil(collection.store.data)
    segments._CACHE.__init__()
    again = zc.open_collection(collection.store, mode="rw")
    samples.assert_rows(again.query(), TIMES)
    for time in TIMES:
        samples.assert_rows(again.query(filters=f"quotient == {time // 10}"), [time])
    (problem,) = again.verify().problems
    assert "the catalog is missing or damaged" in str(problem)


@pytest.mark.parametrize("spoil", [spoil_segment, lose_segment, lose_all])
def test_a_process_that_knows_a_segment_still_finds_out_that_it_is_damaged(collection, spoil):
    assert collection.partitions()
    spoil(collection.store.data)
    assert "the catalog is missing or damaged" in str(collection.verify().problems[0])
    assert collection.repair().done == ("the catalog was rebuilt",)
    assert collection.verify().is_clean


@SPOILED
def test_the_next_writer_who_meets_it_makes_another(collection, spoil):
    spoil(collection.store.data)
    segments._CACHE.__init__()
    again = zc.open_collection(collection.store, mode="rw")
    again.update(lambda data: {"value": data["value"].to_numpy()})
    assert form(again)[0] == 2
    segments._CACHE.__init__()
    assert zc.open_collection(collection.store).verify(data=True).is_clean


@SPOILED
def test_a_repair_makes_another(collection, spoil):
    spoil(collection.store.data)
    segments._CACHE.__init__()
    again = zc.open_collection(collection.store, mode="rw")
    assert again.repair().done == ("the catalog was rebuilt",)
    segments._CACHE.__init__()
    assert zc.open_collection(collection.store).verify(data=True).is_clean
    samples.assert_rows(again.query(), TIMES)


def test_a_checkpoint_that_meets_a_damaged_segment_makes_all_anew(collection):
    data = collection.store.data
    for key in segments_of(collection):
        data[key] = b"x"
    segments._CACHE.__init__()
    for time in range(20):
        collection.insert(samples.rows([1000 + 10 * time]))
    segments._CACHE.__init__()
    again = zc.open_collection(collection.store)
    samples.assert_rows(again.query(), [*TIMES, *range(1000, 1200, 10)])
    assert again.verify(data=True).is_clean


def test_a_reader_who_misses_a_segment_takes_the_root_again(collection, monkeypatch):
    writer = zc.open_collection(collection.store, mode="rw")
    get, done = fakes.DictStore.get, []

    async def meanwhile(self, reads):
        if reads and reads[0].key.startswith(FOLDER) and not done:
            done.append(True)
            segments._CACHE.__init__()
            await in_other_words(writer)
        return await get(self, reads)

    async def in_other_words(other):
        for _ in range(34):
            await other.update_async(lambda data: {"value": data["value"].to_numpy()}, filters="quotient == 17")

    segments._CACHE.__init__()
    monkeypatch.setattr(fakes.DictStore, "get", meanwhile)
    walked = []
    monkeypatch.setattr(snapshots, "_walked", lambda *arguments: walked.append(arguments))
    samples.assert_rows(zc.open_collection(collection.store).query(filters="quotient == 17"), [170])
    assert done
    assert not walked


def test_what_a_dead_writer_has_left_is_named_and_removed(collection, monkeypatch):
    put = fakes.DictStore.put

    async def dying(self, items):
        if "_catalog/c/0" in items:
            raise zc.StoreError("no power")
        await put(self, items)

    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", zc.PublicationWarning)
        patch.setattr(fakes.DictStore, "put", dying)
        for _ in range(16):
            collection.insert(samples.rows([175]), merge="append")
    named = {f"{FOLDER}{name}" for name in form(collection)[1]["segments"]["name"]["joined"].split()}
    left = segments_of(collection) - named
    assert left
    report = collection.verify(data=True)
    assert report.is_clean
    assert sorted(note.split()[0] for note in report.notes) == sorted(left)
    samples.assert_rows(collection.query(filters="quotient == 17"), [170, *[175] * 16])
    collection.vacuum(older_than="0s")
    assert not left & segments_of(collection)
    assert collection.verify(data=True).notes == ()


def test_two_writers_at_once_keep_the_root_right(collection):
    one, other = (zc.open_collection(collection.store, mode="rw") for _ in range(2))

    async def enter(mine, first):
        for number in range(20):
            await mine.insert_async(samples.rows([first + 20 * number]))

    async def both():
        async with anyio.create_task_group() as group:
            group.start_soon(enter, one, 1000)
            group.start_soon(enter, other, 1010)

    anyio.run(both)
    samples.assert_rows(collection.query(), [*TIMES, *range(1000, 1400, 10)])
    assert collection.verify(data=True).is_clean


def test_a_view_has_segments_of_its_own(collection, url):
    variable = zc.VariableSchema("twice", dtype="float64", dimensions=("row",))
    view = zc.create_view(f"{url}-view", base=collection, variables=[variable])
    view.update(lambda data: {"twice": data["value"].to_numpy() * 2})
    assert form(view)[0] == 2
    found = view.query(filters="quotient == 17")
    np.testing.assert_array_equal(found["twice"].to_numpy(), found["value"].to_numpy() * 2)
    assert view.verify(data=True).is_clean


def test_operations_side_by_side_on_one_object_go_on_with_the_new_form(small, url):
    collection = samples.create(url, TIMES[:8])
    zc.open_collection(collection.store, mode="rw").insert(samples.rows([80, 90]))

    async def side_by_side():
        async with anyio.create_task_group() as group:
            for time in (101, 111, 121, 131):
                group.start_soon(collection.insert_async, samples.rows([time]))

    anyio.run(side_by_side)
    samples.assert_rows(collection.query(), [*TIMES[:10], 101, 111, 121, 131])


def test_what_is_kept_of_many_versions_does_not_hold_on_to_all_before(url):
    collection = samples.create(url, [1])
    configuration, known = collection._opened.configuration, None
    for time in range(2, 8):
        collection.insert(samples.rows([10 * time]))
        taken = anyio.run(partial(snapshots.take, collection.store, configuration, known=known))
        assert len(taken.partitions) == time
        known = log_versioning._merged(collection.store, taken)
    columns = known.checkpoint.partitions
    assert all(type(column) is list for column in [*columns._columns.values(), *columns._keys.values()])
    assert type(columns._columns) is dict
