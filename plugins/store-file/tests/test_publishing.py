"""A publication whose process is killed at any step is completed later, with and without an exchange of directories."""

import errno
import os
import threading

import pytest
from zcollection_store_file import exchange, publishing
from zcollection_store_file.store import FileStore

from zcollection.plugin import StoreError, StoreURL

fcntl = pytest.importorskip(
    "fcntl", reason="only POSIX systems have locks of directories; tests/storage/test_systems.py tests the others"
)

OLD = {"x": b"old", "removed": b"old", "ku/y": b"old"}
NEW = {"x": b"new", "ku/y": b"new", "c/z": b"new"}
CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir", "open", "fsync")


class Killed(BaseException):
    """The process was killed."""


@pytest.fixture(params=["exchange", "two renames"])
def way(request, monkeypatch):
    if request.param == "two renames":
        monkeypatch.setattr(publishing, "exchange", lambda *_: False)
    return request.param


@pytest.fixture
def store(tmp_path):
    return FileStore(url=StoreURL.parse(str(tmp_path)), root=str(tmp_path), read_only=False)


def stage(store):
    store.blocking.delete(["stage/", "p=1/"])
    store.blocking.put({f"p=1/{key}": data for key, data in OLD.items()})
    store.blocking.put({f"stage/p=1/{key}": data for key, data in NEW.items()})


def contents(root, prefix):
    base = root / prefix
    return {
        str(path.relative_to(base)): path.read_bytes()
        for path in base.rglob("*")
        if path.is_file() and not path.name.startswith(".zcollection")
    }


def kill_at(monkeypatch, step):
    """Kill the process before its call number `step` that may change something: it and all later calls raise."""
    done = [0]

    def dying(function):
        def call(*args, **kwargs):
            done[0] += 1
            if done[0] > step:
                raise Killed
            return function(*args, **kwargs)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    monkeypatch.setattr(publishing, "exchange", dying(publishing.exchange))


def test_a_writer_killed_at_any_step_leaves_the_old_or_the_new_group_and_the_next_one_completes_it(
    store, tmp_path, monkeypatch, way
):
    accepted = [OLD, NEW, *([{}] if way == "two renames" else [])]
    for step in range(1000):
        stage(store)
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            try:
                store.blocking.publish("stage/p=1/", "p=1/")
                finished = True
            except Killed:
                finished = False
        assert contents(tmp_path, "p=1") in accepted, f"incomplete at step {step}"
        store.blocking.publish("stage/p=1/", "p=1/")
        assert contents(tmp_path, "p=1") == NEW, f"not completed after step {step}"
        store.blocking.publish("stage/p=1/", "p=1/")
        assert contents(tmp_path, "p=1") == NEW, f"undone after step {step}"
        if finished:
            break
    assert finished
    assert step > 5, "no step was interrupted"


_flock = fcntl.flock


class Gate:
    """Makes a thread wait before its call number `step` until the gate is opened."""

    def __init__(self, step):
        self.step = step
        self.done = 0
        self.thread = None
        self.reached, self.opened = threading.Event(), threading.Event()

    def passing(self, function):
        def call(*args, **kwargs):
            if threading.current_thread() is self.thread:
                self.done += 1
                if self.done == self.step:
                    self.reached.set()
                    assert self.opened.wait(300)
            return function(*args, **kwargs)

        return call

    def locking(self, descriptor, operation):
        """Acquire the lock of a directory; if another thread holds it, open the gate so that it is released."""
        try:
            _flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            self.opened.set()
            _flock(descriptor, operation)


def published_by_two(store, monkeypatch, step):
    """Stop one publisher before a step, publish in the meantime, and let it continue; return whether it was stopped."""
    gate, failures = Gate(step), []

    def publish():
        try:
            store.blocking.publish("stage/p=1/", "p=1/")
        except BaseException as error:  # noqa: BLE001 - asserted below
            failures.append(error)
        finally:
            gate.reached.set()

    gate.thread = threading.Thread(target=publish)
    with monkeypatch.context() as patch:
        for name in (*CALLS, "stat", "lstat"):
            patch.setattr(os, name, gate.passing(getattr(os, name)))
        patch.setattr(publishing, "exchange", gate.passing(publishing.exchange))
        patch.setattr(fcntl, "flock", gate.passing(gate.locking))
        gate.thread.start()
        assert gate.reached.wait(300)
        stopped = gate.thread.is_alive() and gate.done == step
        store.blocking.publish("stage/p=1/", "p=1/")
        gate.opened.set()
        gate.thread.join(300)
    assert failures == []
    return stopped


def test_a_swap_is_not_reversed_by_a_writer_that_checked_before(store, tmp_path, monkeypatch, way):
    for step in range(1, 1000):
        stage(store)
        stopped = published_by_two(store, monkeypatch, step)
        assert contents(tmp_path, "p=1") == NEW, f"undone by the one that stopped before step {step}"
        store.blocking.publish("stage/p=1/", "p=1/")
        assert contents(tmp_path, "p=1") == NEW
        if not stopped:
            break
    assert not stopped
    assert step > 5, "no step was reached"


def test_a_writer_killed_while_it_removes_a_group_leaves_all_or_nothing(store, tmp_path, monkeypatch):
    for step in range(1000):
        stage(store)
        store.blocking.put({"trash/p=1/x": b"in the way"})
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            try:
                store.blocking.unpublish("p=1/", "trash/p=1/")
                finished = True
            except Killed:
                finished = False
        assert contents(tmp_path, "p=1") in (OLD, {})
        store.blocking.unpublish("p=1/", "trash/p=1/")
        assert contents(tmp_path, "p=1") == {}
        if finished:
            break
    assert finished


def test_a_publication_leaves_no_temporary_files(store, tmp_path, way):
    stage(store)
    store.blocking.publish("stage/p=1/", "p=1/")
    assert os.listdir(tmp_path / "stage") == [], f"by {way}"
    assert sorted(os.listdir(tmp_path)) == ["p=1", "stage"]


def test_a_replaced_directory_is_swapped_in_one_step(store, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    if not exchange.exchange(str(tmp_path / "a"), str(tmp_path / "b")):
        pytest.skip("this file system cannot exchange directories")
    stage(store)
    moved = []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda source, target: (moved.append(source), rename(source, target))[1])
    store.blocking.publish("stage/p=1/", "p=1/")
    assert contents(tmp_path, "p=1") == NEW
    assert str(tmp_path / "p=1") not in moved, "the target was absent for a moment"


def test_a_second_rename_that_fails_restores_the_old_directory(store, tmp_path, monkeypatch):
    stage(store)
    monkeypatch.setattr(publishing, "exchange", lambda *_: False)
    rename, calls = os.rename, []

    def failing(source, target):
        calls.append(source)
        if len(calls) == 3:  # the first finds an existing target, the second moves it
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(StoreError, match="publish 'p=1/'"):
        store.blocking.publish("stage/p=1/", "p=1/")
    assert contents(tmp_path, "p=1") == OLD
    assert contents(tmp_path, "stage/p=1") == NEW


@pytest.mark.parametrize("part", [0, 1, -1, None])
def test_a_marker_of_other_directories_and_an_incomplete_one_are_ignored(store, tmp_path, part):
    stage(store)
    marker = publishing.marker_beside(str(tmp_path / "stage/p=1"))
    text = publishing._inodes(str(tmp_path / "stage/p=1"), str(tmp_path / "p=1")).decode()
    with open(marker, "w") as file:
        file.write("1 2" if part is None else text[:part])
    store.blocking.publish("stage/p=1/", "p=1/")
    assert contents(tmp_path, "p=1") == NEW


def test_a_directory_that_cannot_be_removed_after_a_swap_is_not_published_again(store, tmp_path, monkeypatch):
    stage(store)
    with monkeypatch.context() as patch:
        patch.setattr(publishing.Tree, "remove", _refusing)
        with pytest.raises(StoreError, match="publish 'p=1/'"):
            store.blocking.publish("stage/p=1/", "p=1/")
    assert contents(tmp_path, "p=1") == NEW
    store.blocking.publish("stage/p=1/", "p=1/")
    assert contents(tmp_path, "p=1") == NEW


def _refusing(*_):
    raise PermissionError(errno.EACCES, "not yours")


def test_an_exchange_swaps_two_paths(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").mkdir()
    if exchange.exchange(str(tmp_path / "a"), str(tmp_path / "b")):
        assert (tmp_path / "a").is_dir()
        assert (tmp_path / "b").read_text() == "a"
    with pytest.raises(FileNotFoundError):
        assert exchange.exchange(str(tmp_path / "a"), str(tmp_path / "missing"))


def test_without_the_system_call_nothing_is_exchanged(tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    (tmp_path / "a").write_text("a")
    assert not exchange.exchange(str(tmp_path / "a"), str(tmp_path / "b"))
    assert not exchange.move_to_free_path(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "a").exists()


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_exchange_is_detected(tmp_path, monkeypatch, code):
    monkeypatch.setattr(exchange, "_renameat2", lambda: lambda *_: -1)
    monkeypatch.setattr(exchange.ctypes, "get_errno", lambda: code)
    assert not exchange.exchange(str(tmp_path), str(tmp_path / "b"))
