"""The store on macOS and Windows, with and without hard links, as far as these can be played here: see tests/support/systems.py."""

import errno
import ntpath
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio
import pytest
import systems

from zcollection.plugin import LocationError, Read, StoreError, StoreURL
from zcollection.testing.store_base import StoreSuite
from zcollection.testing.store_objects import ObjectChecks
from zcollection.testing.store_publishing import PublishingChecks

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the others are played on a POSIX system")

OLD = {"zarr.json": b"old", "removed": b"old", "ku/y": b"old"}
NEW = {"zarr.json": b"new\n\r\n\x1a", "ku/y": b"new", "c/z": b"new"}


def playing(kind, monkeypatch):
    return systems.play(kind, monkeypatch.setattr, monkeypatch.setitem)


@pytest.fixture(params=systems.SYSTEMS)
def system(request, monkeypatch):
    return playing(request.param, monkeypatch)


@pytest.fixture
def windows(monkeypatch):
    return playing("windows", monkeypatch)


def opened(system, folder, **options):
    from zcollection_store_file.store import FileStore

    return anyio.run(lambda: FileStore.open(StoreURL.parse(system.seen(str(folder))), mode="rw", **options))


def contents(root, prefix):
    base = root / prefix
    return {
        path.relative_to(base).as_posix(): path.read_bytes()
        for path in base.rglob("*")
        if path.is_file() and not path.name.startswith(".zcollection")
    }


class Played:
    """The checks of a store on a system that is played; those with processes of their own are left out."""

    @pytest.fixture(autouse=True)
    def _played(self, monkeypatch):
        self.system = playing(self.kind, monkeypatch)
        from zcollection_store_file import system
        from zcollection_store_file.store import FileStore

        monkeypatch.setattr(system, "time", time)  # readers and writers meet: who retries lets the others go on
        monkeypatch.setattr(type(self), "store_class", FileStore)

    def url(self, folder):
        return self.system.seen(str(folder))


class TestWindows(Played, ObjectChecks, PublishingChecks):
    kind = "windows"
    store_class = None


class TestWindowsWithoutLinks(Played, ObjectChecks, PublishingChecks):
    kind = "windows without links"
    store_class = None
    storage_options = {"fsync": True}  # noqa: RUF012 - as the suite has it


class TestMacWithoutLinks(Played, ObjectChecks, PublishingChecks):
    kind = "macos without links"
    store_class = None
    storage_options = {"fsync": True}  # noqa: RUF012 - as the suite has it


assert issubclass(ObjectChecks, StoreSuite)


class Killed(BaseException):
    """The process is no more."""


CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir", "open", "fsync", "link")


def kill_at(patch, system, step):
    """Let the process die before its call number `step` that may change something; a dead process calls nothing."""
    done = [0]

    def dying(function):
        def call(*args, **kwargs):
            done[0] += 1
            if done[0] > step:
                raise Killed
            return function(*args, **kwargs)

        return call

    for name in CALLS:
        patch.setattr(system, name, dying(getattr(system, name)))


@pytest.mark.parametrize("kept", [False, True], ids=["removed", "kept"])
def test_a_writer_killed_at_any_step_loses_nothing_without_a_swap(system, tmp_path, monkeypatch, kept):
    from zcollection.plugin import Replacement

    def publish():
        if kept:
            store.blocking.replace_all([Replacement(target="p=1/", kept="kept/p=1/", staged="stage/p=1/")])
        else:
            store.blocking.publish("stage/p=1/", "p=1/")

    store = opened(system, tmp_path, fsync=True)
    for step in range(1000):
        store.blocking.delete(["stage/", "p=1/", "kept/"])
        store.blocking.put({f"p=1/{key}": data for key, data in OLD.items()})
        store.blocking.stage({f"stage/p=1/{key}": data for key, data in NEW.items()})
        with monkeypatch.context() as patch:
            kill_at(patch, system, step)
            try:
                publish()
                finished = True
            except Killed:
                finished = False
        found = contents(tmp_path, "p=1")
        assert found in (OLD, NEW, {}), f"torn at step {step}"
        assert found == NEW or contents(tmp_path, "stage/p=1") == NEW, f"what is committed is lost at step {step}"
        for _ in range(2):
            publish()
            assert contents(tmp_path, "p=1") == NEW, f"not completed after step {step}"
            assert not kept or contents(tmp_path, "kept/p=1") == OLD, f"the older version is lost after step {step}"
        if finished:
            break
    assert finished
    assert step > 5, "nothing was killed"


def test_of_two_that_publish_at_once_one_finds_it_done(system, tmp_path, monkeypatch):
    """One stops before each of its calls while the other one publishes: as where a network loses the lock of the collection."""
    from zcollection_store_file import publishing

    store = opened(system, tmp_path)
    for step in range(1, 1000):
        store.blocking.delete(["stage/", "p=1/"])
        store.blocking.put({f"p=1/{key}": data for key, data in OLD.items()})
        store.blocking.stage({f"stage/p=1/{key}": data for key, data in NEW.items()})
        with monkeypatch.context() as patch:
            stopped = published_by_two(store, system, publishing, patch, step)
        assert contents(tmp_path, "p=1") == NEW, f"undone by the one that stopped before step {step}"
        if not stopped:
            break
    assert not stopped
    assert step > 5, "nobody was stopped"


def published_by_two(store, system, publishing, patch, step):
    reached, go_on, done, failures = threading.Event(), threading.Event(), [0], []

    def publish():
        try:
            store.blocking.publish("stage/p=1/", "p=1/")
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            reached.set()

    thread = threading.Thread(target=publish)

    def passing(function):
        def call(*args, **kwargs):
            if threading.current_thread() is thread:
                done[0] += 1
                if done[0] == step:
                    reached.set()
                    assert go_on.wait(30)
            return function(*args, **kwargs)

        return call

    make_lock = publishing.FileLock

    def waiting(path, **options):
        """Where another has the lock, that one can go on to give it back."""
        made = make_lock(path, **options)
        acquire = made.acquire

        def acquired(*args, **kwargs):
            if threading.current_thread() is not thread:
                go_on.set()
            return acquire(*args, **kwargs)

        made.acquire = acquired
        return made

    lock = publishing.system.lock_directory

    def locking(descriptor):
        if threading.current_thread() is not thread:
            go_on.set()
        lock(descriptor)

    for name in (*CALLS, "stat", "lstat"):
        patch.setattr(system, name, passing(getattr(system, name)))
    patch.setattr(publishing, "FileLock", waiting)
    patch.setattr(publishing.system, "lock_directory", locking)
    thread.start()
    assert reached.wait(30)
    stopped = thread.is_alive() and done[0] == step
    store.blocking.publish("stage/p=1/", "p=1/")
    go_on.set()
    thread.join(30)
    assert failures == []
    return stopped


def test_nothing_of_a_publication_is_left(system, tmp_path):
    store = opened(system, tmp_path)
    store.blocking.put({f"p=1/{key}": data for key, data in OLD.items()})
    store.blocking.stage({f"stage/p=1/{key}": data for key, data in NEW.items()})
    store.blocking.publish("stage/p=1/", "p=1/")
    assert not [*(tmp_path / "stage").iterdir()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p=1", "stage"]


def test_of_many_that_create_a_key_one_succeeds(system, tmp_path):
    store = opened(system, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda number: store.blocking.create("a/x", b"%d" % number), range(40))]
    assert answers.count("created") == 1
    assert store.blocking.get([Read("a/x")]) == [b"%d" % answers.index("created")]


def test_names_that_differ_only_in_case_are_refused(system, tmp_path):
    store = opened(system, tmp_path)
    store.blocking.put({"f=A/zarr.json": b"A", "Ssh": b"kept"})
    store.blocking.stage({"stage/f=a/zarr.json": b"a"})
    refused = {
        "put": lambda: store.blocking.put({"ssh": b"lost"}),
        "create": lambda: store.blocking.create("ssh", b"lost"),
        "copy": lambda: store.blocking.copy([("Ssh", "ssh")]),
        "stage": lambda: store.blocking.stage({"stage/f=a/ZARR.json": b"A"}),
        "stage both": lambda: store.blocking.stage({"other/a/x": b"a", "other/A/y": b"A"}),
        "stage below": lambda: store.blocking.stage({"F=A/x": b"lost"}),
        "check": lambda: store.blocking.check_targets(["f=a/"]),
        "check below": lambda: store.blocking.check_targets(["f=a/g=1/"]),
        "publish": lambda: store.blocking.publish("stage/f=a/", "f=a/"),
        "delete": lambda: store.blocking.delete(["ssh"]),
    }
    for name, call in refused.items():
        with pytest.raises(StoreError, match="differs only in case from '.*', which exists"), named(name):
            call()
    assert contents(tmp_path, "f=A") == {"zarr.json": b"A"}
    assert (tmp_path / "Ssh").read_bytes() == b"kept"


@contextmanager
def named(name):
    yield
    pytest.fail(f"{name} was not refused")


def test_a_file_system_that_distinguishes_them_has_both(tmp_path):
    from zcollection_store_file.store import FileStore

    store = anyio.run(lambda: FileStore.open(StoreURL.parse(tmp_path), mode="rw"))
    (tmp_path / "a").touch()
    if (tmp_path / "A").exists():
        pytest.skip("this file system does not")
    store.blocking.put({"A": b"1", "a": b"2"})
    store.blocking.stage({"s/B/x": b"1", "s/b/x": b"2", "s/B/X": b"3"})
    store.blocking.check_targets(["s/B/", "s/b/"])
    assert store.blocking.get([Read(key) for key in ("A", "a", "s/B/x", "s/b/x")]) == [b"1", b"2", b"1", b"2"]


def test_decomposed_names_are_listed_as_they_were_written(monkeypatch, tmp_path):
    store = opened(playing("macos", monkeypatch), tmp_path)
    store.blocking.put({"f=é/x": b"1"})
    assert [entry.key for entry in store.blocking.list("", after="", recursive=True)] == ["f=é/x"]
    store.blocking.check_targets(["f=é/"])


@pytest.mark.parametrize(
    "key",
    [
        "a\\b",
        "..\\x",
        "a/..\\..\\x",
        "C:x",
        "a:b",
        "x?",
        "x*",
        "CON",
        "nul.txt",
        "COM1",
        "conin$",
        "a./x",
        "a ",
        "a\nb",
        'a"',
    ],
)
def test_a_key_that_no_file_of_windows_can_have_is_refused(key, windows, tmp_path):
    store = opened(windows, tmp_path / "root")
    for call in (lambda: store.blocking.put({key: b""}), lambda: store.blocking.get([Read(key)])):
        with pytest.raises(StoreError, match="is refused by .*: on Windows"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_paths_have_any_length(windows, tmp_path):
    store = opened(windows, tmp_path)
    key = "/".join(["d" * 100] * 4)
    store.blocking.stage({f"{key}/x": b"1"})
    store.blocking.put({f"{key}/y": b"2"})
    assert store.blocking.get([Read(f"{key}/x"), Read(f"{key}/y")]) == [b"1", b"2"]
    assert (tmp_path / key / "x").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("path", "long"),
    [
        ("C:\\data", "\\\\?\\C:\\data"),
        ("\\\\server\\share\\x", "\\\\?\\UNC\\server\\share\\x"),
        ("\\\\?\\C:\\x", "\\\\?\\C:\\x"),
    ],
)
def test_a_path_is_marked_as_one_of_any_length(path, long, windows):
    from zcollection_store_file import system

    assert system.of_any_length(path) == long
    assert system.under(long, "a/b") == ntpath.join(long, "a", "b")
    assert system.under("\\\\?\\C:\\", "a") == "\\\\?\\C:\\a"


@pytest.fixture
def filled(windows, tmp_path):
    store = opened(windows, tmp_path)
    store.blocking.put({"x": b"old", "p=1/zarr.json": b"old"})
    store.blocking.stage({"stage/p=1/zarr.json": b"new"})
    return store


CHANGES = {
    "put": ("x", lambda store: store.blocking.put({"x": b"new"})),
    "delete": ("x", lambda store: store.blocking.delete(["x"])),
    "publish": ("p=1/zarr.json", lambda store: store.blocking.publish("stage/p=1/", "p=1/")),
    "unpublish": ("p=1/zarr.json", lambda store: store.blocking.unpublish("p=1/", "trash/p=1/")),
    "delete all": ("p=1/zarr.json", lambda store: store.blocking.delete(["p=1/"])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_another_process_has_open_is_tried_again_and_then_an_error_that_says_so(name, filled, windows, tmp_path):
    key, change = CHANGES[name]
    descriptor = windows.open(windows.seen(str(tmp_path / key)), os.O_RDONLY)
    with pytest.raises(StoreError, match="another process may have a file open: close it there"):
        change(filled)
    assert sum(windows.pauses) > 1, "it was not tried again"
    assert filled.blocking.get([Read("x"), Read("p=1/zarr.json")]) == [b"old", b"old"], "it did half of it"
    os.close(descriptor)
    change(filled)
    assert filled.blocking.get([Read(key)])[0] in {b"new", None}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_closed_meanwhile_is_changed(name, filled, windows, tmp_path, monkeypatch):
    key, change = CHANGES[name]
    descriptors = [windows.open(windows.seen(str(tmp_path / key)), os.O_RDONLY)]
    from zcollection_store_file import system

    def closing(_seconds):
        while descriptors:
            os.close(descriptors.pop())

    monkeypatch.setattr(system.time, "sleep", closing)
    change(filled)
    assert not descriptors, "nothing was in the way"
    assert filled.blocking.get([Read(key)])[0] in {b"new", None}


def test_two_objects_written_within_a_tick_have_two_etags(windows, tmp_path, monkeypatch):
    """The clock of Windows may stand still for 15 ms, and its listings do not say which file it is."""
    store, found = opened(windows, tmp_path), []
    for data in (b"one", b"two"):
        store.blocking.put({"x": data})
        os.utime(tmp_path / "x", ns=(1, 1))
        (entry,) = store.blocking.list("", after="", recursive=True)
        found.append(entry.etag)
    assert found[0] != found[1]


def test_a_junction_is_a_link(monkeypatch, tmp_path):
    """Windows shows it as a directory: what it leads to is neither listed nor removed."""
    from zcollection_store_file import system
    from zcollection_store_file.trees import Tree

    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").touch()
    (tmp_path / "root/junction").mkdir(parents=True)  # it leads to itself: only its mark tells that it is one
    (tmp_path / "root/junction/x").touch()
    monkeypatch.setattr(system, "_JUNCTION", 7)
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: Marked(lstat(path), path.endswith("junction")))
    removed = []
    monkeypatch.setattr(os, "unlink", removed.append)
    tree = Tree(str(tmp_path / "root"))
    assert list(tree.walk(tree.root, "", recursive=True)) == []
    tree.remove(f"{tmp_path}/root/junction")
    assert removed == [f"{tmp_path}/root/junction"]


class Marked:
    """A status with the tag of a junction."""

    def __init__(self, status, is_junction):
        self._status = status
        self.st_reparse_tag = 7 if is_junction else 0

    def __getattr__(self, name):
        return getattr(self._status, name)


def test_on_macos_data_leave_the_cache_of_the_drive(monkeypatch, tmp_path):
    from zcollection_store_file import system
    from zcollection_store_file.store import FileStore

    asked, synced = [], []
    monkeypatch.setattr(system, "_FULL_SYNC", 51)
    monkeypatch.setattr(system.fcntl, "fcntl", lambda descriptor, command: asked.append((descriptor, command)))
    monkeypatch.setattr(os, "fsync", synced.append)
    store = anyio.run(lambda: FileStore.open(StoreURL.parse(tmp_path), mode="rw", fsync=True))
    store.blocking.put({"x": b"1"})
    assert {command for _, command in asked} == {51}
    assert synced == []

    def refusing(*_):
        raise OSError(errno.ENOTSUP, "no")

    monkeypatch.setattr(system.fcntl, "fcntl", refusing)
    store.blocking.put({"x": b"2"})
    assert synced, "where the command is refused the common call does what it can"


@pytest.mark.parametrize("folder", ["Z:\\missing", "Z:/missing"])
def test_a_drive_that_does_not_exist_is_an_error(folder, windows):
    from zcollection_store_file.store import FileStore

    store = anyio.run(lambda: FileStore.open(StoreURL.parse(folder), mode="rw"))
    for call in (store.blocking.put, store.blocking.stage):
        with pytest.raises(StoreError, match="cannot"):
            call({"x": b"1"})


def test_a_name_that_windows_takes_for_something_else_is_no_directory(windows):
    for path in ("C:\\data\\con\\x", "data\\a:b", "C:\\data\\x.\\y", "\\\\.\\pipe\\x"):
        with pytest.raises(LocationError, match="is not the path of a directory on Windows"):
            StoreURL.parse(path)
