"""Collections that older releases wrote are read, checked and written to by this one."""

import sys
import zipfile
from pathlib import Path

import effort
import numpy as np
import pytest

import zcollection as zc

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from golden_cases import CASES, DAY  # noqa: E402 - beside this file, as for the command that writes them

ARCHIVES = sorted(HERE.glob("*/*.zip"))


def name_of(archive):
    return f"{archive.parent.name}-{archive.stem}"


def one_of_each():
    """Return an archive of each case, of one release after the other; all where the thorough profile is loaded."""
    releases = {case: [archive for archive in ARCHIVES if archive.stem == case] for case in sorted(CASES)}
    few = [found[at % len(found)] for at, found in enumerate(releases.values())]
    return ARCHIVES if effort.is_thorough() else few


# All archives are read and checked. What goes further tries fewer of them.
some = pytest.mark.parametrize("archive", one_of_each(), ids=name_of, indirect=True)


@pytest.fixture(params=ARCHIVES, ids=name_of)
def archive(request):
    return request.param


@pytest.fixture
def url(archive, tmp_path):
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path)
    return f"file://{tmp_path}"


def assert_holds(dataset, expected):
    assert set(dataset.all_variables()) == set(expected)
    for path, values in expected.items():
        found = dataset.get_variable(path).to_numpy()
        np.testing.assert_array_equal(found, values.astype(found.dtype), err_msg=path)


def test_it_holds_what_was_written(archive, url):
    assert_holds(zc.open_collection(url).query(), CASES[archive.stem].expected)


def test_its_older_versions_hold_what_was_written(archive, url):
    for version, expected in CASES[archive.stem].older.items():
        assert_holds(zc.open_collection(url, at=version).query(), expected)
        assert not list(zc.open_collection(url).diff(version, version))


def test_nothing_is_wrong_with_it(url):
    report = zc.open_collection(url).verify(data=True)
    assert report.is_clean, report.problems


@some
def test_its_paths_and_types_are_those_that_this_release_would_write(archive, url, tmp_path):
    old, new = zc.open_collection(url), CASES[archive.stem].write(f"file://{tmp_path}/new")
    assert old.partitions() == new.partitions()
    assert old.partitioning == new.partitioning
    assert old.schema == new.schema
    assert old.keys() == new.keys()
    assert [one.layout for one in old.records().values()] == [one.layout for one in new.records().values()]


@some
def test_the_partitions_are_found_without_the_catalog_too(archive, url, tmp_path):
    for file in (tmp_path / "_catalog").rglob("0"):
        file.unlink()
    assert_holds(zc.open_collection(url).query(), CASES[archive.stem].expected)


@some
def test_it_can_be_written_to(archive, url):
    collection = zc.open_collection(url, mode="rw")
    before = collection.partitions()
    last = CASES[archive.stem].inserts[-1]
    collection.insert({path: values.copy() for path, values in last.items()}, merge="upsert", missing="fill")
    assert collection.partitions() == before
    assert collection.drop_partitions(filters="True") == before


@some
def test_it_can_be_partitioned_and_encoded_anew(archive, url):
    collection = zc.open_collection(url, mode="rw")
    case = CASES[archive.stem]
    collection.rewrite(codecs="cloud-cold", chunks=3, shards={collection.dimension: None})
    assert_holds(collection.query(), case.expected)
    assert collection.verify(data=True).is_clean
    axis = collection.axis
    times = collection.schema.variables.get(axis)
    if times is None or times.dtype.kind == "f":
        return  # nothing that has a date
    other = "date:Y" if collection.partitions()[0].count("/") else "date:D"
    assert collection.repartition(other).rows == collection.count()
    order = np.argsort(case.expected[axis], kind="stable")
    found = zc.open_collection(url).query()
    for path, values in case.expected.items():
        variable = found.get_variable(path)
        if collection.dimension in variable.dimensions:
            values = np.take(values, order, axis=variable.dimensions.index(collection.dimension))  # noqa: PLW2901
        np.testing.assert_array_equal(variable.to_numpy(), values.astype(variable.dtype), err_msg=path)
    assert collection.verify(data=True).is_clean


def test_this_release_has_written_every_case():
    assert {archive.stem for archive in ARCHIVES if archive.parent.name == zc.__version__} == set(CASES)


def test_some_are_of_every_release():
    assert {archive.parent for archive in one_of_each()} == {archive.parent for archive in ARCHIVES}


def test_the_cases_are_about_several_partitions():
    assert len({int(time) // DAY for time in CASES["date-D"].expected["time"]}) == 6


@some
def test_its_rows_are_asked_for_with_statistics_and_without(archive, url):
    collection = zc.open_collection(url, mode="rw")
    axis, every = collection.axis, collection.count()
    if axis in collection.schema.variables:
        values = collection.query(variables=[axis])[axis].to_numpy()
        for where, passed in ((f"not isnan({axis})", every), (f"isnan({axis})", 0), (f"{axis} in ()", 0)):
            assert collection.count(where) == passed, where
        half = zc.rows.function(lambda times: times >= np.sort(values)[every // 2], [axis])
        found = collection.query(where=half, variables=[axis])[axis].to_numpy()
        np.testing.assert_array_equal(found, values[values >= np.sort(values)[every // 2]])
    lacking = [note for note in collection.verify().notes if "no statistics" in note]
    assert bool(lacking) == (archive.parent.name < "2026.12.2")
    collection.add_statistics()
    assert collection.verify(data=True).notes == ()


@some
def test_when_rows_came_is_unknown_of_what_did_not_keep_it_and_known_of_what_is_inserted_now(archive, url):
    collection = zc.open_collection(url, mode="rw")
    if archive.parent.name > "2026.12.3" or not collection.schema.get_variable(collection.axis).has_order:
        return
    before = collection.sampling()
    assert all(np.isnat(item.deliveries.each).all() for item in before)
    last = CASES[archive.stem].inserts[-1]
    collection.insert({path: values.copy() for path, values in last.items()}, merge="upsert", missing="fill")
    now = {item.path: item.deliveries.each for item in collection.sampling()}
    rows = sum(item.sampling.values.size for item in before)
    assert 0 < sum((~np.isnat(each)).sum() for each in now.values()) <= rows
