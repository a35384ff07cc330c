"""Synchronisation with the disk, errors of the operating system, and files that killed writers leave."""

import errno
import os
import subprocess
import sys

import pytest
from zcollection_store_file import files, publishing
from zcollection_store_file.paths import temporary_beside
from zcollection_store_file.store import FileStore
from zcollection_store_file.trees import Tree

from zcollection.plugin import Read, StoreError, StoreURL


def opened(root, *, fsync=False):
    return FileStore(url=StoreURL.parse(str(root)), root=str(root), read_only=False, fsync=fsync)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def events(monkeypatch, tmp_path):
    """Return the paths that are synchronised and renamed, in order."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("only Linux shows the path of a descriptor")
    recorded = []
    fsync, replace, link, rename = os.fsync, os.replace, os.link, os.rename

    def name(path):
        short = os.path.relpath(path, tmp_path)
        return "temporary" if ".zcollection-" in short or "#" in short else short

    def record_fsync(descriptor):
        recorded.append(("sync", name(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def recording(function):
        def call(source, target, **options):
            recorded.append(("name", name(target)))
            return function(source, target, **options)

        return call

    monkeypatch.setattr(files, "move_to_free_path", recording(files.move_to_free_path))

    monkeypatch.setattr(os, "fsync", record_fsync)
    for label, function in (("replace", replace), ("link", link), ("rename", rename)):
        monkeypatch.setattr(os, label, recording(function))
    return recorded


@pytest.fixture
def removals(events, monkeypatch):
    """Record when directories are removed."""
    remove = Tree.remove

    def recording(self, directory):
        events.append("remove")
        remove(self, directory)
        events.append("removed")

    monkeypatch.setattr(Tree, "remove", recording)


def synced(events):
    return {path for action, path in events if action == "sync"}


def test_a_file_and_then_its_name_are_on_the_disk_before_a_write_is_acknowledged(root, events):
    opened(root, fsync=True).blocking.put({"a/x": b"1"})
    assert events[-3:] == [("sync", "temporary"), ("name", "root/a/x"), ("sync", "root/a")]
    assert {".", "root"} <= synced(events), "the names of new directories are lost in a power failure"


def test_a_created_key_is_on_the_disk_before_it_is_acknowledged(root, events):
    opened(root, fsync=True).blocking.create("a/x", b"1")
    assert events[-3:] == [("sync", "temporary"), ("name", "root/a/x"), ("sync", "root/a")]


def test_an_existing_key_is_on_the_disk_before_it_is_reported(root, events):
    opened(root).blocking.create("a/x", b"1")
    events.clear()
    assert opened(root, fsync=True).blocking.create("a/x", b"2") == "exists"
    assert events[-1] == ("sync", "root/a")


def test_a_copy_is_on_the_disk_before_it_is_acknowledged(root, events, monkeypatch):
    store = opened(root, fsync=True)
    store.blocking.put({"x": b"1"})
    store.blocking.copy([("x", "a/y")])
    assert events[-1] == ("sync", "root/a")
    events.clear()
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    store.blocking.copy([("x", "a/z")])
    assert events[-3:] == [("sync", "temporary"), ("name", "root/a/z"), ("sync", "root/a")]


def test_flushing_synchronises_every_file_and_every_directory_up_to_the_root(root, events):
    opened(root).blocking.put({"a/b/x": b"1", "a/b/c/y": b"2", "a/beside": b"3"})
    assert synced(events) == set()
    opened(root, fsync=True).blocking.flush("a/b/")
    assert synced(events) == {"root/a/b/x", "root/a/b/c/y", "root/a/b/c", "root/a/b", "root/a", "root", "."}


def test_flushing_a_missing_prefix_synchronises_its_existing_parents(root, events):
    opened(root).blocking.put({"a/x": b"1"})
    opened(root, fsync=True).blocking.flush("a/b/c/")
    assert synced(events) == {"root/a", "root", "."}


def test_a_publication_is_on_the_disk_before_it_is_acknowledged(root, events):
    store = opened(root, fsync=True)
    for target in ("p=1/", "year=2024/p=1/"):
        for _ in range(2):
            store.blocking.put({"stage/x": b"1"})
            events.clear()
            store.blocking.publish("stage/", target)
            assert {os.path.dirname(f"root/{target[:-1]}"), "root"} <= synced(events)
    events.clear()
    store.blocking.unpublish("year=2024/p=1/", "trash/p=1/")
    assert "root/year=2024" in synced(events)


@pytest.mark.usefixtures("removals")
def test_a_replaced_directory_is_removed_after_the_new_one_is_on_the_disk(root, events, monkeypatch):
    store = opened(root, fsync=True)
    store.blocking.put({"p=1/x": b"old", "_t/stage/x": b"new"})
    exchange = publishing.exchange
    monkeypatch.setattr(publishing, "exchange", lambda *paths: (events.append("exchange"), exchange(*paths))[1])
    events.clear()
    store.blocking.publish("_t/stage/", "p=1/")
    after = events[events.index("exchange") :]
    assert {("sync", "root"), ("sync", "root/_t")} <= set(after[: after.index("remove")])


@pytest.mark.usefixtures("removals")
def test_a_swap_by_a_killed_writer_is_on_the_disk_before_the_replaced_directory_is_removed(root, events, monkeypatch):
    store = opened(root, fsync=True)
    store.blocking.put({"p=1/x": b"old", "_t/stage/x": b"new"})

    def swap_and_die(*paths):
        exchange(*paths)
        raise KeyboardInterrupt

    exchange = publishing.exchange
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "exchange", swap_and_die)
        with pytest.raises(KeyboardInterrupt):
            store.blocking.publish("_t/stage/", "p=1/")
    events.clear()
    store.blocking.publish("_t/stage/", "p=1/")
    assert {("sync", "root"), ("sync", "root/_t")} <= set(events[: events.index("remove")])
    assert store.blocking.get([Read("p=1/x")]) == [b"new"]


@pytest.mark.usefixtures("removals")
def test_the_marker_of_a_swap_is_removed_after_the_removal_of_the_replaced_directory_is_on_the_disk(
    root, events, monkeypatch
):
    store = opened(root, fsync=True)
    store.blocking.put({"p=1/x": b"old", "_t/stage/x": b"new"})
    forget = publishing.Publication._remove_marker
    monkeypatch.setattr(publishing.Publication, "_remove_marker", lambda self: (events.append("forget"), forget(self)))
    events.clear()
    store.blocking.publish("_t/stage/", "p=1/")
    before = events[: events.index("forget")]
    gone = max(position for position, event in enumerate(before) if event == "removed")
    assert ("sync", "root/_t") in before[gone:]


def test_without_the_option_nothing_is_synchronised(root, events):
    store = opened(root)
    store.blocking.put({"a/x": b"1", "stage/x": b"2"})
    store.blocking.create("a/y", b"1")
    store.blocking.copy([("a/x", "a/z")])
    store.blocking.publish("stage/", "a/")
    store.blocking.unpublish("a/", "trash/")
    store.blocking.flush("")
    assert synced(events) == set()


def refusing(code):
    def call(*_, **__):
        raise OSError(code, os.strerror(code), "/secret/path")

    return call


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EACCES, "permissions"),
        (errno.EROFS, "mounted read-only"),
        (errno.EIO, "check the file system"),
    ],
)
def test_an_error_of_the_operating_system_is_a_store_error(root, monkeypatch, code, advice):
    store = opened(root)
    store.blocking.put({"a/x": b"before"})
    for name in ("replace", "link"):
        monkeypatch.setattr(files.os, name, refusing(code))
    for operation in (lambda: store.blocking.put({"a/x": b"after"}), lambda: store.blocking.copy([("a/x", "a/y")])):
        with pytest.raises(StoreError, match=os.strerror(code)) as caught:
            operation()
        for part in ("'a/", str(store.url), advice):
            assert part in str(caught.value)
        assert "/secret/path" not in str(caught.value)
    assert os.listdir(root / "a") == ["x"], "a temporary file is left"
    assert store.blocking.get([Read("a/x")]) == [b"before"]


def test_an_error_of_a_read_is_not_a_missing_object(root, monkeypatch):
    store = opened(root)
    store.blocking.put({"x": b"1"})
    monkeypatch.setattr(files.os, "open", refusing(errno.EACCES))
    with pytest.raises(StoreError, match=r"read 'x'.*Permission denied"):
        store.blocking.get([Read("x")])


@pytest.mark.skipif(
    getattr(os, "geteuid", int)() == 0, reason="the superuser may do anything, and Windows has other permissions"
)
def test_a_directory_of_another_user_is_an_error(root):
    store = opened(root)
    store.blocking.put({"a/x": b"1"})
    (root / "a").chmod(0o500)
    try:
        with pytest.raises(StoreError, match="permissions"):
            store.blocking.put({"a/y": b"1"})
    finally:
        (root / "a").chmod(0o700)


def test_a_file_where_a_directory_is_needed_is_an_error(root, tmp_path):
    store = opened(root)
    store.blocking.put({"x": b"1"})
    for operation in (lambda: store.blocking.put({"x/y": b""}), lambda: store.blocking.create("x/y", b"")):
        with pytest.raises(StoreError, match=r"'x/y'.*move it away"):
            operation()
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        opened(root / "x").blocking.put({"y": b""})
    assert opened(root / "x").blocking.get([Read("y")]) == [None]


def test_a_name_that_is_too_long_is_an_error(root):
    with pytest.raises(StoreError, match="shorter"):
        opened(root).blocking.put({"x" * 300: b""})


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_files_have_the_permissions_of_the_umask(root):
    before = os.umask(0o027)
    try:
        opened(root).blocking.put({"a/x": b"1"})
    finally:
        os.umask(before)
    assert os.stat(root / "a/x").st_mode & 0o777 == 0o640
    assert os.stat(root / "a").st_mode & 0o777 == 0o750


KILLED = """
import os, sys
from zcollection_store_file.store import FileStore
from zcollection.plugin import StoreURL
os.replace = lambda *_: os._exit(9)
FileStore(url=StoreURL.parse(sys.argv[1]), root=sys.argv[1], read_only=False).blocking.put({"a/x": b"half"})
"""


def test_a_file_that_a_killed_writer_leaves_is_not_listed_and_harmless(root):
    store = opened(root)
    store.blocking.put({"a/x": b"before"})
    done = subprocess.run([sys.executable, "-c", KILLED, str(root)], capture_output=True)
    assert done.returncode == 9
    assert len(os.listdir(root / "a")) == 2, "the writer has left nothing: the test proves nothing"
    assert [entry.key for entry in store.blocking.list("", after="", recursive=True)] == ["a/x"]
    assert store.blocking.get([Read("a/x")]) == [b"before"]
    store.blocking.put({"a/x": b"after"})
    store.blocking.delete(["a/"])
    assert os.listdir(root) == []


def test_a_directory_with_only_a_temporary_file_is_not_listed(root):
    (root / "a").mkdir(parents=True)
    with open(temporary_beside(str(root / "a/x")), "w") as file:
        file.write("half")
    assert [*opened(root).blocking.list("", after="", recursive=False)] == []
