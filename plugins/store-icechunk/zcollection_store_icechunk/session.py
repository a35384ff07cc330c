"""A change in the making: a writable session of Icechunk."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import icechunk
from anyio import to_thread
from attrs import frozen
from filelock import FileLock

from zcollection.plugin import ConflictError, CorruptionError, StoreError, StoreFork, StoreSession, StoreURL
from zcollection_store_icechunk.failures import telling
from zcollection_store_icechunk.hierarchy import Hierarchy


@frozen(kw_only=True)
class IcechunkFork(StoreFork):
    """A session of another process, on the same snapshot.

    Attributes
    ----------
    url
        Of the repository, for messages.
    session
        Icechunk's.
    """

    url: StoreURL
    session: icechunk.session.ForkSession

    @property
    def zarr(self) -> Hierarchy:
        """The session as a Zarr store."""
        return Hierarchy(self.session.store, self.url)


@frozen(kw_only=True)
class IcechunkSession(StoreSession):
    """A writable session on one branch.

    Attributes
    ----------
    url
        Of the repository, for messages.
    session
        Icechunk's.
    lock
        Path of the file that serialises commits; None where the storage does so by itself.
    """

    url: StoreURL
    session: icechunk.Session
    lock: str | None

    @property
    def base(self) -> str:
        """Id of the snapshot that the session is based on."""
        return self.session.snapshot_id

    @property
    def zarr(self) -> Hierarchy:
        """The session as a Zarr store."""
        return Hierarchy(self.session.store, self.url)

    async def commit(self, message: str, metadata: Mapping[str, Any]) -> str | None:
        """Commit; None where the branch has moved on since."""
        with telling(self.url, "commit to"):
            try:
                if self.lock is None:
                    return await self.session.commit_async(message, dict(metadata))
                return await to_thread.run_sync(self._commit_alone, self.lock, message, dict(metadata))
            except icechunk.ConflictError:
                return None

    def _commit_alone(self, lock: str, message: str, metadata: dict[str, Any]) -> str:
        with FileLock(lock):
            return self.session.commit(message, metadata)

    async def rebase(self) -> None:
        """Put the session on the tip of its branch."""
        try:
            with telling(self.url, "rebase on"):
                try:
                    await self.session.rebase_async(icechunk.ConflictDetector())
                except (icechunk.RebaseFailedError, icechunk.ConflictError) as error:
                    raise self._conflict() from error
        except CorruptionError as error:
            # What others did cannot be told from their log, and need not be: made anew, the change is based on it.
            raise self._conflict() from error

    def _conflict(self) -> ConflictError:
        message = (
            f"another writer changed the same part of {self.url} since snapshot {self.base}; nothing was written, run the "
            f"operation again"
        )
        return ConflictError(message)

    def fork(self) -> IcechunkFork:
        """Return a session that pickles, for a worker to write to."""
        if self.session.has_uncommitted_changes:
            message = (
                f"a session of {self.url} that was written to cannot be forked; fork it first, and merge afterwards"
            )
            raise StoreError(message)
        return IcechunkFork(url=self.url, session=self.session.fork())

    async def merge(self, forks: Iterable[StoreFork]) -> None:
        """Take over what workers wrote to forks."""
        sessions = [cast("IcechunkFork", fork).session for fork in forks]
        with telling(self.url, "merge the work of several processes into"):
            await self.session.merge_async(*sessions)
