"""Symbolic links in a local collection: read through, never written through, and in nobody's way but their own."""

import os
import shutil

import pytest
import samples

import zcollection as zc

PARTITION = "sign=plus/quotient=1"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows makes symbolic links with a privilege alone")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "collection"


@pytest.fixture
def collection(root):
    return samples.create(str(root), [1, 12, 25])


def linked(root, path):
    """Move a directory to another disk, and leave a link."""
    away = root.parent / "away"
    shutil.move(root / path, away)
    (root / path).symlink_to(away)
    return away


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WRITES = {
    "replace": lambda col: col.insert(samples.rows([11])),
    "merge": lambda col: col.insert(samples.rows([11]), merge="append"),
    "update": lambda col: col.update(lambda ds: {"value": ds["value"].to_numpy() + 1}),
    "drop": lambda col: col.drop_partitions(filters="quotient == 1"),
    "drop all": lambda col: col.drop_partitions(filters="True"),
    "add a variable": lambda col: col.add_variable(
        zc.VariableSchema("more", dtype="int8", dimensions=("row",)), lambda ds: ds["deep/er/flag"].to_numpy()
    ),
    "overwrite": lambda col: samples.create(str(col.store.url), overwrite=True),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("link", [PARTITION, "sign=plus"])
def test_a_change_of_a_linked_partition_is_refused_before_anything_is_written(collection, root, link, write):
    away = linked(root, link)
    before = contents(away)
    versions = collection.history()
    with pytest.raises(zc.StoreError, match=f"'{link}/?' in .* is a symbolic link.*nothing"):
        WRITES[write](zc.open_collection(str(root), mode="rw"))
    assert contents(away) == before
    assert zc.open_collection(str(root)).history() == versions
    samples.assert_rows(zc.open_collection(str(root)).query(), [1, 12, 25])
    assert zc.open_collection(str(root)).verify(data=True).is_clean


def test_all_else_goes_on(collection, root):
    linked(root, PARTITION)
    writer = zc.open_collection(str(root), mode="rw")
    writer.insert(samples.rows([2, 31]), merge="append")
    writer.update(lambda ds: {"value": ds["value"].to_numpy()}, filters="quotient != 1")
    writer.drop_partitions(filters="quotient == 3")
    writer.vacuum(older_than="0s")
    assert writer.repair().remaining == ()
    assert writer.repair_catalog() == 3
    samples.assert_rows(zc.open_collection(str(root)).query(), [1, 2, 12, 25])
    samples.assert_rows(writer.copy(str(root.parent / "copy")).query(), [1, 2, 12, 25])


def test_a_directory_put_back_in_its_place_is_written_to_again(collection, root):
    away = linked(root, PARTITION)
    (root / PARTITION).unlink()
    shutil.move(away, root / PARTITION)
    collection.insert(samples.rows([13]), merge="append")
    samples.assert_rows(collection.query(), [1, 12, 13, 25])


@pytest.mark.parametrize("inside", ["_transactions", "_catalog"])
def test_what_is_ours_is_not_linked_elsewhere(collection, root, inside):
    away = linked(root, inside)
    before = contents(away)
    samples.assert_rows(zc.open_collection(str(root)).query(), [1, 12, 25])
    with pytest.raises(zc.StoreError, match=f"'{inside}.* is a symbolic link"):
        zc.open_collection(str(root), mode="rw").insert(samples.rows([31]))
    assert contents(away) == before


@pytest.mark.parametrize("target", ["nowhere", "collection/sign=plus/quotient=2"])
def test_a_link_in_the_place_of_a_new_partition_is_refused(collection, root, target):
    (root / "sign=plus/quotient=7").symlink_to(root.parent / target)
    with pytest.raises(zc.StoreError, match="quotient=7.* is a symbolic link"):
        collection.insert(samples.rows([71]))
    collection.insert(samples.rows([81]))
    samples.assert_rows(collection.query(), [1, 12, 25, 81])


def test_a_file_in_the_place_of_a_new_partition_is_refused(collection, root):
    (root / "sign=plus/quotient=7").write_text("notes")
    with pytest.raises(zc.StoreError, match="quotient=7.* is not a directory"):
        collection.insert(samples.rows([71]))
    assert (root / "sign=plus/quotient=7").read_text() == "notes"


def test_the_whole_collection_may_be_reached_through_a_link(collection, root):
    (root.parent / "short").symlink_to(root)
    through = zc.open_collection(str(root.parent / "short"), mode="rw")
    through.insert(samples.rows([13]), merge="append")
    samples.assert_rows(collection.query(), [1, 12, 13, 25])
