"""New objects are staged in batches with any common folder, and nothing is created outside the store."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_store_file import staging
from zcollection_store_file.store import FileStore

from zcollection.plugin import StoreError, StoreURL

NAMES = st.sampled_from(["a", "b", "bc", "c=1"])
KEYS = st.lists(NAMES, max_size=4).map(lambda parents: "/".join([*parents, "leaf"]))
BATCHES = st.lists(st.dictionaries(KEYS, st.binary(max_size=3), max_size=6), max_size=4)


@pytest.fixture(params=[True, False], ids=["relative paths", "absolute paths"], autouse=True)
def paths(request, monkeypatch):
    """Both kinds of paths: some systems have no paths relative to a directory descriptor."""
    monkeypatch.setattr(staging, "_HAS_DIR_FD", request.param)


def blocking_at(root):
    return FileStore(url=StoreURL.parse(str(root)), root=str(root), read_only=False).blocking


def files_below(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "deep/root"


@settings(deadline=None)
@given(batches=BATCHES)
def test_staged_objects_are_files_at_their_keys(batches):
    with tempfile.TemporaryDirectory() as folder:
        root, expected = Path(folder) / "root", {}
        blocking = blocking_at(root)
        for batch in batches:
            new = {key: data for key, data in batch.items() if key not in expected}
            blocking.stage(new)
            expected |= new
        assert files_below(root) == expected


def test_existing_directories_are_used(root):
    blocking_at(root).stage({"a/b/x": b"1"})
    blocking = blocking_at(root)
    blocking.stage({"a/b/y": b"2", "a/c/d/x": b"3"})
    blocking.stage({"a/c/d/y": b"4", "x": b"5"})
    assert files_below(root) == {"a/b/x": b"1", "a/b/y": b"2", "a/c/d/x": b"3", "a/c/d/y": b"4", "x": b"5"}


def test_an_empty_batch_creates_nothing(root):
    blocking_at(root).stage({})
    assert not root.exists()


@pytest.mark.parametrize("key", ["../x", "../new/x", "a/../../new/x", "/new/x", "a//x", "", "a/"])
@pytest.mark.parametrize("others", [{}, {"a/b": b"1"}, {"a/new": b"1", "b/new": b"2"}])
def test_a_key_that_leaves_the_store_creates_nothing_outside(key, others, root):
    blocking = blocking_at(root)
    blocking.stage({"new/x": b"", "x": b""})  # relative to other directories, keys of the batch have these names
    with pytest.raises(StoreError, match="is refused"):
        blocking.stage({**others, key: b"1"})
    assert [path.name for path in root.parent.iterdir()] == ["root"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [("file/b/x", "Not a directory"), ("a/file/x", "Not a directory"), ("n" * 300 + "/x", "too long")],
)
def test_an_error_of_the_system_names_the_object_and_no_path(key, reason, root):
    blocking_at(root).stage({"file": b"", "a/file": b""})
    with pytest.raises(StoreError, match=f"cannot stage '{key}'.*{reason}"):
        blocking_at(root).stage({key: b"1"})


def test_the_lock_is_not_an_object(root):
    blocking = blocking_at(root)
    blocking.stage({"_other/lock": b"", "_other/x": b""})
    with pytest.raises(StoreError, match="the key of the lock"):
        blocking.stage({"_transactions/lock": b"", "_transactions/x": b""})
    assert list(blocking.list("_transactions/lock/", after="", recursive=True)) == []


def test_the_number_of_parts_of_a_key_is_limited(root):
    blocking, deep = blocking_at(root), "/".join(["d"] * 126)
    blocking.stage({"a/x": b"", "b/x": b""})
    blocking.stage({f"{deep}/a/x": b"1", f"{deep}/y": b"2"})
    with pytest.raises(StoreError, match="more than 128 parts"):
        blocking.stage({f"{deep}/e/a/x": b"", f"{deep}/e/b/x": b""})


def test_nothing_is_staged_through_a_link_that_leaves_the_store(root, tmp_path):
    (tmp_path / "outside").mkdir()
    root.mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "outside")
    for batch in ({"link/x": b"1"}, {"link/a/x": b"1", "x": b"2"}, {"link/x": b"1", "x": b"2"}):
        with pytest.raises(StoreError, match="symbolic link"):
            blocking_at(root).stage(batch)
    assert list((tmp_path / "outside").iterdir()) == []
