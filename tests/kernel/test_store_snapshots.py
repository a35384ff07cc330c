"""Collections on a store that commits by itself: every change is one commit, and readers are held at a snapshot."""

import datetime as dt
import uuid

import anyio
import pytest
import samples
from attrs import frozen
from repositories import RepositorySession, RepositoryStore

import zcollection as zc
from zcollection.errors import SettingError
from zcollection.plugin import StoreError, StoreURL


@pytest.fixture
def url():
    return f"repository://{uuid.uuid4().hex}"


@pytest.fixture
def collection(url):
    return samples.create(url, [1, 12, 25])


def commits(collection):
    return [entry.operation for entry in collection.history()]


class TestChanges:
    def test_are_one_commit_each(self, collection):
        collection.insert(samples.rows([13, 40]), merge="append")
        collection.update(lambda dataset: {"value": dataset["value"].to_numpy()})
        collection.drop_partitions(filters="quotient == 1")
        assert commits(collection) == ["create", "insert", "insert", "update", "drop"]
        entry = collection.history()[2]
        assert (entry.partitions, entry.rows) == (2, 3)

    def test_that_change_nothing_make_no_commit(self, collection):
        assert collection.drop_partitions(filters="quotient == 9") == ()
        assert commits(collection) == ["create", "insert"]

    def test_equal_what_was_inserted(self, collection, url):
        collection.insert(samples.rows([13, 14]), merge="append")
        samples.assert_rows(collection.query(), [1, 12, 13, 14, 25])
        collection.drop_partitions(filters="quotient == 0")
        samples.assert_rows(zc.open_collection(url).query(), [12, 13, 14, 25])

    def test_that_fail_leave_no_trace(self, collection):
        def fail(dataset):
            raise ZeroDivisionError

        before = collection.history()
        with pytest.raises(ZeroDivisionError):
            collection.update(fail)
        with pytest.raises(zc.SchemaError):
            collection.insert({"time": [1]})
        assert collection.history() == before
        samples.assert_rows(collection.query(), [1, 12, 25])

    def test_are_told_since_a_version(self, collection):
        since = collection.changes(since=0)
        assert len(since.written) == 3
        collection.insert(samples.rows([13]))
        collection.drop_partitions(filters="quotient == 2")
        changes = collection.changes(since=since.version)
        assert (changes.written, changes.dropped) == (("sign=plus/quotient=1",), ("sign=plus/quotient=2",))
        with pytest.raises(zc.errors.SettingError, match="since='never'"):
            collection.changes(since="never")

    def test_are_known_to_their_writer_as_a_reader_finds_them(self, collection, url):
        collection.insert(samples.rows([13, 40]) | {"angle": [1.0, 2.0]}, merge="append")
        collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1}, filters="quotient > 0")
        collection.drop_partitions(filters="quotient == 2")
        collection.insert(samples.rows([14]))
        found = zc.open_collection(url)
        assert dict(collection.records()) == dict(found.records())
        assert list(collection.records()) == list(found.records())
        assert collection.query() == found.query()

    def test_of_one_partition_do_not_touch_another(self, collection):
        before = collection.records()
        collection.insert(samples.rows([13]))
        after = collection.records()
        assert [path for path in before if before[path] != after[path]] == ["sign=plus/quotient=1"]


class TestReaders:
    def test_stay_at_the_snapshot_at_which_they_opened(self, collection, url):
        reader = zc.open_collection(url)
        collection.insert(samples.rows([40]))
        samples.assert_rows(reader.query(), [1, 12, 25])
        assert len(reader.partitions()) == 3
        reader.refresh()
        samples.assert_rows(reader.query(), [1, 12, 25, 40])

    def test_find_an_older_snapshot_by_its_id_a_tag_or_a_time(self, collection, url):
        entry = collection.history()[-1]
        collection.insert(samples.rows([40]))
        collection.store.repository.tags["before"] = entry.version
        time = dt.datetime.fromisoformat(collection.history()[-1].time) - dt.timedelta(microseconds=1)
        for at in (entry.version, "before", time):
            held = zc.open_collection(url, at=at)
            samples.assert_rows(held.query(), [1, 12, 25])
            assert [item.operation for item in held.history()] == ["create", "insert"]

    def test_keep_lazy_values_of_their_snapshot(self, collection, url):
        lazy = zc.open_collection(url).query(lazy=True)
        collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 5})
        samples.assert_rows(lazy, [1, 12, 25])

    def test_at_a_snapshot_cannot_write(self, collection, url):
        version = collection.history()[-1].version
        with pytest.raises(zc.ReadOnlyError, match="stays as it is"):
            zc.open_collection(url, mode="rw", at=version)
        with pytest.raises(StoreError, match="never"):
            zc.open_collection(url, at="never")

    def test_of_what_a_store_without_snapshots_does_not_keep_are_refused(self):
        target = f"dict://{uuid.uuid4().hex}"
        samples.create(target, [1])
        samples.assert_rows(zc.open_collection(target, at="1").query(), [1])
        with pytest.raises(SettingError, match="version 0 .* is not kept; accepted: 1, the newest.*retain"):
            zc.open_collection(target, at="0")


class TestCreating:
    def test_what_exists_is_refused(self, collection, url):
        with pytest.raises(zc.CollectionExistsError, match="overwrite=True"):
            samples.create(url)
        assert commits(collection) == ["create", "insert"]

    def test_over_a_collection_is_one_commit(self, collection, url):
        reader = zc.open_collection(url)
        made = samples.create(url, overwrite=True)
        assert made.query() is None
        assert commits(made) == ["create", "insert", "create"]
        samples.assert_rows(reader.query(), [1, 12, 25])

    def test_a_catalog_is_refused(self, url):
        with pytest.raises(zc.SchemaError, match="catalog_enabled=True"):
            samples.create(url, catalog_enabled=True)

    def test_while_another_writes_keeps_nothing_of_what_was_written(self, collection, url, monkeypatch):
        interfering(monkeypatch, lambda: collection.insert(samples.rows([-55])), once=True)
        made = samples.create(url, overwrite=True)
        assert commits(made) == ["create", "insert", "insert", "create"]
        assert made.partitions() == ()


class TestCopying:
    def test_is_one_commit_at_its_destination(self, collection):
        copied = collection.copy(f"repository://{uuid.uuid4().hex}")
        assert commits(copied) == ["copy"]
        samples.assert_rows(copied.query(), [1, 12, 25])

    @pytest.mark.parametrize("scheme", ["dict", "repository"])
    def test_to_and_from_another_kind_of_store_keeps_all(self, collection, scheme):
        collection.insert(samples.rows([31]) | {"angle": [1.0, 2.0]})
        there = collection.copy(f"{scheme}://{uuid.uuid4().hex}", filters="quotient > 0")
        back = there.copy(f"repository://{uuid.uuid4().hex}")
        for copied in (there, back):
            samples.assert_rows(copied.query(), [12, 25, 31])
            assert copied.query()["angle"].to_numpy().tolist() == [1.0, 2.0]
            assert copied.verify(data=True).problems == ()

    def test_over_a_collection_is_one_commit(self, collection):
        target = f"repository://{uuid.uuid4().hex}"
        samples.create(target, [77, 12])
        with pytest.raises(zc.CollectionExistsError):
            collection.copy(target)
        reader = zc.open_collection(target)
        copied = collection.copy(target, overwrite=True)
        assert commits(copied) == ["create", "insert", "copy"]
        samples.assert_rows(copied.query(), [1, 12, 25])
        samples.assert_rows(reader.query(), [12, 77])


class TestWriters:
    def test_of_other_partitions_both_succeed(self, collection, monkeypatch):
        other = zc.open_collection(collection.store.url.scheme + "://" + collection.store.url.location, mode="rw")
        interfering(monkeypatch, lambda: other.insert(samples.rows([-55, 55])), once=True)
        collection.insert(samples.rows([13, 66]), merge="append")
        samples.assert_rows(collection.query(), [-55, 1, 12, 13, 25, 55, 66])

    def test_of_one_partition_run_again_on_what_the_other_wrote(self, collection, monkeypatch):
        interfering(monkeypatch, lambda: collection.insert(samples.rows([14]), merge="append"), once=True)
        collection.insert(samples.rows([13]), merge="append")
        samples.assert_rows(collection.query(), [1, 12, 14, 13, 25])
        assert commits(collection) == ["create", "insert", "insert", "insert"]

    def test_that_are_never_first_are_told_so_and_may_try_again(self, collection, monkeypatch):
        monkeypatch.setattr("zcollection.transaction.retrying._TRIES", 3)
        monkeypatch.setattr("zcollection.transaction.retrying._FIRST_PAUSE", 0.0)
        with monkeypatch.context() as patch:
            interfering(patch, lambda: collection.insert(samples.rows([14]), merge="append"))
            with pytest.raises(zc.ConflictError, match="was changed by another writer"):
                collection.insert(samples.rows([13]), merge="append")
        collection.insert(samples.rows([13]), merge="append")
        samples.assert_rows(collection.query(filters="quotient == 1"), [12, 14, 14, 14, 13])

    def test_of_a_collection_that_was_replaced_by_another_one_are_told_so(self, collection, url):
        samples.create(url, schema=samples.SCHEMA.select(["time", "value"]), overwrite=True)
        with pytest.raises(zc.CollectionNotFoundError, match="in place of the one that was opened"):
            collection.insert(samples.rows([13]))


def interfering(monkeypatch, change, *, once=False):
    """Let another writer make a change just before each commit, or before the first one."""
    commit, busy = RepositorySession.commit, []

    async def after_another(self, message, metadata):
        if not busy:
            busy.append(True)
            await anyio.to_thread.run_sync(change)
            if not once:
                busy.clear()
        return await commit(self, message, metadata)

    monkeypatch.setattr(RepositorySession, "commit", after_another)


class TestLostAnswers:
    """The store fails at a commit; only its history can tell what became of it."""

    @frozen
    class Failing(RepositoryStore):
        committing: bool = True
        telling: bool = True

        class session_class(RepositorySession):  # noqa: N801 - replaces an attribute
            async def commit(self, message, metadata):
                if self.store.committing:
                    await super().commit(message, metadata)
                raise StoreError("the connection was lost")

        async def history(self, snapshot):
            if not self.telling:
                raise StoreError("nobody answers")
            return await super().history(snapshot)

    def opened(self, url, **options):
        return zc.open_collection(self.Failing(StoreURL.parse(url), False, **options), mode="rw")

    def test_are_found_in_the_history(self, collection, url):
        self.opened(url).insert(samples.rows([40]))
        assert commits(collection) == ["create", "insert", "insert"]
        samples.assert_rows(collection.query(), [1, 12, 25, 40])

    def test_of_what_did_not_happen_are_errors(self, collection, url):
        with pytest.raises(StoreError, match="the connection was lost"):
            self.opened(url, committing=False).insert(samples.rows([40]))
        assert commits(collection) == ["create", "insert"]

    @pytest.mark.parametrize("committing", [True, False])
    def test_that_nobody_can_tell_are_said_to_be_unknown(self, collection, url, committing):
        with pytest.raises(zc.errors.CommitStateUnknownError, match=r"look into history\(\)"):
            self.opened(url, committing=committing, telling=False).insert(samples.rows([40]))
        assert len(commits(collection)) == 2 + committing


def test_a_vacuum_keeps_the_newest_version(collection):
    old = collection.history()[-1].version
    collection.insert(samples.rows([40]))
    assert collection.vacuum(older_than="1h").versions == 0
    assert collection.vacuum(older_than="0s").versions == 2
    samples.assert_rows(collection.query(), [1, 12, 25, 40])
    with pytest.raises(StoreError, match=old):
        zc.open_collection(f"repository://{collection.store.url.location}", at=old)


def test_a_damaged_root_is_told_as_an_error_of_ours(collection, url):
    repository = collection.store.repository
    objects = repository.snapshots[repository.tip]
    objects["zarr.json"] = type(objects["zarr.json"]).from_bytes(b"{")
    with pytest.raises(zc.errors.ZCollectionError, match="the root group of .* is invalid"):
        zc.open_collection(url)
