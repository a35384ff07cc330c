"""Keys of texts and booleans: from what a partitioning returns to documents, filters and back."""

import uuid
from typing import Any

import fakes
import numpy as np
import pytest
from attrs import evolve, field, frozen
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.collection import split as splitting
from zcollection.plugin import Field, Key, Partitioning, StoreURL
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.index.partitions import Partitions


@frozen
class Labels(Partitioning):
    """By the values of a variable of texts and one of booleans; told the declared types, it keeps their names."""

    variables: tuple[str, ...] = ("name", "up")
    told: tuple[str, ...] = ()
    answer: Any = field(default=None, eq=False)
    dimension: str | None = None

    @property
    def fields(self):
        return (Field("name", text=True), Field("up", boolean=True))

    def for_types(self, types):
        return evolve(self, told=tuple(f"{name}: {dtype.kind}" for name, dtype in types.items()))

    def keys(self, columns):
        return {name: columns[name] for name in self.variables} | (self.answer or {})


@frozen
class OfIntegersOnly(Labels):
    def for_types(self, types):
        message = f"the types are {types}; accepted: integers"
        raise zc.SchemaError(message)


SCHEMA = (
    zc.Schema()
    .with_dimension("row", chunks=4)
    .with_variable("time", dtype="int64", dimensions=("row",))
    .with_variable("name", dtype="string", dimensions=("row",))
    .with_variable("up", dtype="bool", dimensions=("row",))
    .build()
)


@pytest.fixture(autouse=True, scope="module")
def _registered():
    registry = zc.plugin.REGISTRY
    registry.register(Labels)
    registry.register(OfIntegersOnly)
    yield
    for name in ("labels", "of_integers_only"):
        registry.unregister(zc.plugin.Family.PARTITIONING, name)


def create(url, labels=(), partitioning=None):
    collection = zc.create_collection(url, schema=SCHEMA, axis="time", partitioning=partitioning or Labels())
    if labels:
        collection.insert(rows(labels))
    return collection


def rows(labels):
    names, ups = zip(*labels, strict=True)
    return {"time": np.arange(len(labels)), "name": np.array(names, dtype="T"), "up": np.array(ups, dtype="bool")}


def test_a_partitioning_is_told_the_declared_types_once_and_stored_as_it_answers(url):
    made = create(url)
    assert made.partitioning.told == ("name: T", "up: b")
    assert zc.open_collection(url).partitioning == made.partitioning == Labels(told=("name: T", "up: b"))


def test_a_partitioning_that_refuses_the_types_creates_nothing(url):
    with pytest.raises(zc.SchemaError, match="accepted: integers"):
        create(url, partitioning=OfIntegersOnly())
    assert StoreURL.parse(url).location not in fakes._DATA


@examples(40)
@given(
    labels=st.lists(st.tuples(st.text(max_size=16), st.booleans()), min_size=1, max_size=12),
    rest=st.randoms(use_true_random=False),
)
def test_whatever_is_inserted_is_found_under_its_key_and_dropped(labels, rest):
    url = f"dict://{uuid.uuid4().hex}"
    create(url, labels)
    collection = zc.open_collection(url, mode="rw")
    keys = sorted(set(labels))
    assert [tuple(key.values()) for key in collection.keys()] == keys
    assert all(type(value) in {str, bool} for key in collection.keys() for value in key.values())
    wanted = rest.choice(keys)
    found = collection.query(filters=dict(zip(("name", "up"), wanted, strict=True)))
    assert found["time"].to_numpy().tolist() == [at for at, label in enumerate(labels) if label == wanted]
    assert len(collection.drop_partitions(filters=f"name == {wanted[0]!r} and up == {wanted[1]}")) == 1
    assert [tuple(key.values()) for key in zc.open_collection(url).keys()] == [key for key in keys if key != wanted]


LABELS = [("a/b", True), ("", False), ("é", True), ("e\u0301", True), ("a/b", False), ("\x00", True)]


def test_without_the_catalog_the_partitions_are_the_same(url):
    create(url, LABELS)
    before = zc.open_collection(url).records()
    data = fakes._DATA[StoreURL.parse(url).location]
    del data["_catalog/c/0"]
    assert list(zc.open_collection(url).records().items()) == list(before.items())


def test_the_path_of_every_partition_is_that_of_its_key(url):
    collection = create(url, LABELS)
    for path, record in collection.records().items():
        assert collection.partitioning.encode(Key(record.key)) == path
        assert collection.partitioning.decode(path) == Key(record.key)


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_columns_of_keys_survive_the_catalog(count):
    keys = [{"name": f"{at % 7} é", "up": at % 2 == 0} for at in range(count)]
    records = {f"name={at}": PartitionRecord(key=key, rows=1, stamp="s", layout=0) for at, key in enumerate(keys)}
    partitions = Partitions(records)
    again = Partitions.from_json(partitions.to_json())
    assert [again[path].key for path in again] == [partitions[path].key for path in partitions]
    assert {type(again[path].key["up"]) for path in again} == {bool}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"name": np.array([1, 2])}, r"the field 'name' an array of int64 .*; accepted: strings, shape \(2,\)"),
        ({"name": np.array([b"a", b"b"])}, r"the field 'name' an array of \|S1 .*; accepted: strings"),
        ({"up": np.array([0, 1])}, r"the field 'up' an array of int64 .*; accepted: booleans, shape \(2,\)"),
        ({"up": np.array(["true", "false"])}, r"the field 'up' an array of <U5 .*; accepted: booleans"),
    ],
)
def test_a_column_of_another_type_than_its_field_is_refused(answer, message):
    dataset = zc.Dataset(SCHEMA, rows([("a", True), ("b", False)]))
    with pytest.raises(zc.PartitionError, match=message):
        splitting.split(dataset, Labels(answer=answer), dimension="row")
