"""Checks of transactional stores: commits, conflicts and merges of changes."""

import pickle
import re
from pathlib import Path
from typing import cast

import pytest

from zcollection.contracts.objects import Read
from zcollection.contracts.transactional import StoreFork, TransactionalStore
from zcollection.errors import ConflictError, StoreError
from zcollection.testing.transactional_base import (
    METADATA,
    TransactionalSuite,
    array,
    chunks,
    commit,
    committed,
    group,
    keys,
    newest,
    soon,
    values,
    write,
)
from zcollection.transaction.native.zarr_objects import SessionObjects

_BOTH = {**group(), **array("a", 1), **array("b", 1)}


class CommitChecks(TransactionalSuite):
    """Checks of sessions and their commits."""

    def test_uncommitted_changes_are_not_visible(self, tmp_path: Path) -> None:
        """Neither readers nor later changes see uncommitted changes; a session that is not committed leaves no trace."""

        async def check(store: TransactionalStore) -> None:
            snapshot = await committed(store, _BOTH)
            session = await store.begin()
            await write(session, {**chunks("a", 2), **array("c", 2)})
            await session.save_document("_zcollection.json", b"{}")
            await SessionObjects(session).delete(["b/"])
            del session
            assert await newest(store) == snapshot
            assert await values(store, snapshot, "abc") == [1, 1, None]
            assert await store.load_document("_zcollection.json") is None
            later = await committed(store, array("d", 4))
            assert await values(store, later, "abcd") == [1, 1, None, 4]
            assert len(await store.history(later)) == 2

        self._with_store(check, tmp_path)

    def test_a_session_reads_its_own_writes(self, tmp_path: Path) -> None:
        """A session reads its own changes, and otherwise the snapshot that it is based on."""

        async def check(store: TransactionalStore) -> None:
            snapshot = await committed(store, _BOTH)
            session = await store.begin()
            assert session.base == snapshot
            await write(session, chunks("a", 2))
            await SessionObjects(session).delete(["b/c/1"])
            reads = [Read(f"{path}/c/{number}") for path in "ab" for number in range(2)]
            assert await SessionObjects(session).get(reads) == [b"\2\0" * 3, b"\2\0" * 3, b"\1\0" * 3, None]

        self._with_store(check, tmp_path)

    def test_a_commit_on_an_older_snapshot_is_rejected(self, tmp_path: Path) -> None:
        """`commit` returns None, and nothing of the session is visible; the other commit is not lost."""

        async def check(store: TransactionalStore) -> None:
            await committed(store, _BOTH)
            session = await store.begin()
            await write(session, chunks("a", 2))
            other = await committed(store, chunks("b", 3))
            assert await session.commit("too late", METADATA) is None
            assert await newest(store) == other
            assert await values(store, other, "ab") == [1, 3]

        self._with_store(check, tmp_path)

    def test_changes_of_different_parts_are_merged(self, tmp_path: Path) -> None:
        """A session that is rebased onto the newest snapshot contains both changes, and can be committed."""

        async def check(store: TransactionalStore) -> None:
            await committed(store, _BOTH)
            session = await store.begin()
            await write(session, {**chunks("a", 2), **group("new"), **array("new/c", 4)})
            other = await committed(store, {**chunks("b", 3), **group("other"), **array("other/c", 5)})
            assert await session.commit("too early", METADATA) is None
            await session.rebase()
            assert session.base == other
            snapshot = await commit(session)
            assert await values(store, snapshot, ("a", "b", "new/c", "other/c")) == [2, 3, 4, 5]
            assert [entry.snapshot for entry in await store.history(snapshot)][:2] == [snapshot, other]

        self._with_store(check, tmp_path)

    def test_changes_of_the_same_part_conflict(self, tmp_path: Path) -> None:
        """The first change is kept; a new session with the second change can be committed."""

        async def check(store: TransactionalStore) -> None:
            await committed(store, _BOTH)
            session = await store.begin()
            await write(session, chunks("a", 2))
            other = await committed(store, chunks("a", 3))
            assert await session.commit("too late", METADATA) is None
            with pytest.raises(ConflictError, match=re.escape(str(store.url))):
                await session.rebase()
            assert await newest(store) == other
            assert await values(store, other, "a") == [3]
            assert await values(store, await committed(store, chunks("a", 4)), "a") == [4]

        self._with_store(check, tmp_path)

    def test_a_vacuum_does_not_damage_an_uncommitted_change(self, tmp_path: Path) -> None:
        """A session that began before the vacuum is committed completely, or conflicts and can be repeated."""

        async def check(store: TransactionalStore) -> None:
            await committed(store, {**group(), **array("a", 1, length=2000)})
            await committed(store, chunks("a", 2, length=2000))
            session = await store.begin()
            await write(session, chunks("a", 3, length=2000))
            await (await self._open(self.url(tmp_path))).vacuum(soon())
            try:
                if (snapshot := await session.commit("after a vacuum", METADATA)) is None:
                    await session.rebase()
                    snapshot = await commit(session)
            except ConflictError:
                snapshot = await committed(store, chunks("a", 3, length=2000))
            assert await values(await self._open(self.url(tmp_path)), snapshot, ["a"]) == [3]

        self._with_store(check, tmp_path)

    def test_a_store_is_created_once(self, tmp_path: Path) -> None:
        """`begin(create=True)` on an existing store starts from its newest snapshot."""

        async def check(store: TransactionalStore) -> None:
            snapshot = await committed(store, _BOTH)
            for opened in (store, await self._open(self.url(tmp_path))):
                session = await opened.begin(create=True)
                assert session.base == snapshot
                assert await newest(opened) == snapshot
            assert await values(store, await newest(store), "ab") == [1, 1]

        self._with_store(check, tmp_path)

    def test_forks_are_merged_into_one_commit(self, tmp_path: Path) -> None:
        """Forks can be pickled before and after writes; their changes are not visible before the commit."""

        async def check(store: TransactionalStore) -> None:
            self._skip_unless_cross_process(store)
            before = await committed(store, {**group(), **group("g"), **array("g/a", 1)})
            session = await store.begin()
            forks = [_sent(session.fork()) for _ in range(2)]
            for number, fork in enumerate(forks):
                await write(fork, {**group(f"g/{number}"), **array(f"g/{number}/a", number)})
                await SessionObjects(fork).delete(["g/a/"][number:])
            await session.merge([_sent(fork) for fork in forks])
            await write(session, group("h"))
            assert await newest(store) == before
            snapshot = await commit(session)
            assert await values(store, snapshot, ("g/0/a", "g/1/a", "g/a")) == [0, 1, None]
            assert "h/zarr.json" in await keys(store, snapshot)
            assert len(await store.history(snapshot)) == 2

        self._with_store(check, tmp_path)

    def test_a_session_with_changes_cannot_be_forked(self, tmp_path: Path) -> None:
        """Forking raises an error, because the fork would not contain the changes."""

        async def check(store: TransactionalStore) -> None:
            await committed(store, _BOTH)
            session = await store.begin()
            await write(session, chunks("a", 2))
            with pytest.raises(StoreError, match=re.escape(str(store.url))):
                session.fork()

        self._with_store(check, tmp_path)


def _sent(fork: StoreFork) -> StoreFork:
    """Return a fork after pickling, as another process receives it."""
    return cast("StoreFork", pickle.loads(pickle.dumps(fork)))  # noqa: S301 - made here
