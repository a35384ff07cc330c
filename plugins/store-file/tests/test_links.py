"""Nothing is written through symbolic links that leave the store; copies are hard links."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from zcollection_store_file import files
from zcollection_store_file.store import FileStore

from zcollection.plugin import Read, StoreError, StoreURL

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows creates symbolic links only with a privilege")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_bytes(b"foreign")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def store(root):
    return FileStore(url=StoreURL.parse(str(root)), root=str(root), read_only=False)


def keys(store, prefix="", *, recursive=True):
    return [entry.key for entry in store.blocking.list(prefix, after="", recursive=recursive)]


def refusing(operation):
    with pytest.raises(StoreError, match="symbolic link"):
        operation()


def test_nothing_is_written_through_a_link_that_leaves_the_store(store, root, tmp_path):
    (root / "link").symlink_to("../outside")
    (root / "leaf").symlink_to(tmp_path / "outside/x")
    blocking = store.blocking
    blocking.put({"stage/x": b"staged", "there/x": b"kept"})
    for key in ("link/x", "link/new/x", "leaf", "link"):
        refusing(lambda key=key: blocking.stage({f"{key}/new": b"new"}))
        refusing(lambda key=key: blocking.put({key: b"new"}))
        refusing(lambda key=key: blocking.create(key, b"new"))
        refusing(lambda key=key: blocking.copy([("there/x", key)]))
        refusing(lambda key=key: blocking.copy([(key, "copied")]))
        refusing(lambda key=key: blocking.delete([key]))
        refusing(lambda key=key: blocking.delete([f"{key}/"]))
        refusing(lambda key=key: blocking.publish("stage/", f"{key}/"))
        refusing(lambda key=key: blocking.publish(f"{key}/", "there/"))
        refusing(lambda key=key: blocking.unpublish(f"{key}/", "trash/"))
        refusing(lambda key=key: blocking.unpublish("there/", f"{key}/"))
        refusing(lambda key=key: blocking.flush(f"{key}/"))
    assert keys(store) == ["stage/x", "there/x"]
    assert keys(store, recursive=False) == ["stage/", "there/"]
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == ["x"]
    assert (tmp_path / "outside/x").read_bytes() == b"foreign"


def test_a_link_that_leaves_the_store_is_followed_by_reads(store, root):
    (root / "link").symlink_to("../outside")
    assert store.blocking.get([Read("link/x"), Read("link/missing")]) == [b"foreign", None]
    assert keys(store, "link/") == ["link/x"]
    assert keys(store) == [], "recursive listings skip links"


def test_staging_never_writes_into_an_existing_file(store, root, tmp_path):
    (root / "leaf").symlink_to(tmp_path / "outside/x")
    store.blocking.put({"there": b"kept"})
    for key in ("leaf", "there"):
        with pytest.raises(StoreError, match="cannot stage"):
            store.blocking.stage({key: b"new"})
    assert store.blocking.get([Read("there"), Read("leaf")]) == [b"kept", b"foreign"]


def test_the_lock_does_not_follow_a_link_that_leaves_the_store(store, root, tmp_path):
    (root / "_transactions").symlink_to(tmp_path / "outside")

    async def main():
        async with store.lock():
            pass

    refusing(lambda: anyio.run(main))
    assert not (tmp_path / "outside/lock").exists()


def test_nothing_is_written_through_a_dangling_link(store, root, tmp_path):
    (root / "link").symlink_to(tmp_path / "outside/missing")
    refusing(lambda: store.blocking.put({"link": b"new"}))
    refusing(lambda: store.blocking.put({"link/x": b"new"}))
    assert not (tmp_path / "outside/missing").exists()


def test_links_inside_the_store_are_followed_but_directories_are_not_listed_twice(store, root):
    store.blocking.put({"a/x": b"1"})
    (root / "b").symlink_to("a")
    (root / "y").symlink_to("a/x")
    (root / "a/loop").symlink_to("../a")
    assert store.blocking.get([Read("b/x"), Read("y"), Read("a/loop/x")]) == [b"1", b"1", b"1"]
    assert keys(store) == ["a/x", "y"]
    store.blocking.put({"b/z": b"2"})
    assert keys(store, "b/") == ["b/x", "b/z"]
    store.blocking.copy([("y", "copied")])
    assert (root / "copied").read_bytes() == b"1"
    assert not (root / "copied").is_symlink()


def test_deleting_a_directory_removes_links_and_not_their_targets(store, root, tmp_path):
    store.blocking.put({"a/x": b"1", "kept/x": b"2"})
    (root / "a/out").symlink_to(tmp_path / "outside")
    (root / "a/in").symlink_to("../kept")
    (root / "linked").symlink_to("kept")
    store.blocking.delete(["a/", "linked/"])
    assert not (root / "a").exists()
    assert not (root / "linked").exists()
    assert (tmp_path / "outside/x").exists()
    assert keys(store) == ["kept/x"]


def test_links_that_form_a_loop_are_an_error(store, root):
    (root / "loop").symlink_to("loop")
    with pytest.raises(StoreError, match="loop"):
        store.blocking.get([Read("loop/x")])
    assert keys(store) == []


def test_the_root_itself_may_be_a_link(root, tmp_path):
    (tmp_path / "short").symlink_to(root)
    store = FileStore(url=StoreURL.parse(str(tmp_path / "short")), root=str(tmp_path / "short"), read_only=False)
    store.blocking.put({"a/x": b"1"})
    assert store.blocking.get([Read("a/x")]) == [b"1"]
    assert keys(store) == ["a/x"]


def test_a_fifo_is_ignored(store, root):
    os.mkfifo(root / "pipe")
    assert store.blocking.get([Read("pipe"), Read("pipe", length=0)]) == [None, None]
    assert keys(store) == []


def test_a_copy_shares_the_bytes_of_its_source(store, root):
    store.blocking.put({"x": b"shared"})
    store.blocking.copy([("x", "a/y"), ("x", "a/y"), ("a/y", "z")])
    inodes = {os.stat(root / name).st_ino for name in ("x", "a/y", "z")}
    assert len(inodes) == 1
    assert sorted(os.listdir(root / "a")) == ["y"], "a temporary file is left"


def links_unsupported(monkeypatch, code):
    def link(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "link", link)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP])
def test_without_links_the_bytes_are_copied(store, root, monkeypatch, code):
    store.blocking.put({"x": b"copied", "y": b"old"})
    links_unsupported(monkeypatch, code)
    store.blocking.copy([("x", "y")])
    assert (root / "y").read_bytes() == b"copied"
    assert os.stat(root / "x").st_ino != os.stat(root / "y").st_ino


def test_without_links_a_key_is_created_once(store, monkeypatch):
    links_unsupported(monkeypatch, errno.EPERM)
    assert store.blocking.create("a/x", b"first") == "created"
    assert store.blocking.create("a/x", b"second") == "exists"
    assert store.blocking.get([Read("a/x")]) == [b"first"]


def test_without_links_and_exclusive_renames_a_key_is_created_once_under_a_lock(store, root, monkeypatch):
    links_unsupported(monkeypatch, errno.EPERM)
    monkeypatch.setattr(files, "move_to_free_path", lambda *_: False)
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda number: store.blocking.create("x", b"%d" % number), range(40))]
    assert answers.count("created") == 1
    assert store.blocking.get([Read("x")]) == [b"%d" % answers.index("created")]
    assert store.blocking.create("x", b"late") == "exists"
    assert keys(store) == ["x"], "the lock is not an object"


@pytest.mark.parametrize("has_unnamed", [True, False])
def test_a_link_with_a_lost_answer_has_created_the_key(store, root, monkeypatch, has_unnamed):
    link = os.link
    if not has_unnamed:
        monkeypatch.setattr(files, "_UNNAMED", 0)
        monkeypatch.setattr(files, "move_to_free_path", lambda *_: False)

    def lossy(source, target, **options):
        link(source, target, **options)
        raise FileExistsError(errno.EEXIST, "lost")

    monkeypatch.setattr(files.os, "link", lossy)
    assert store.blocking.create("x", b"mine") == "created"
    assert [path.name for path in root.iterdir()] == ["x"]


def test_creating_an_object_at_the_path_of_a_directory_is_an_error(store):
    store.blocking.put({"a/x": b""})
    with pytest.raises(StoreError, match="Is a directory"):
        store.blocking.create("a", b"")
    with pytest.raises(StoreError, match="Is a directory"):
        store.blocking.put({"a": b""})
