"""A writable session of Icechunk."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Final, ParamSpec, TypeVar, cast

import icechunk
from anyio import to_thread
from attrs import frozen
from filelock import FileLock

from zcollection.plugin import ConflictError, CorruptionError, StoreError, StoreFork, StoreSession, StoreURL
from zcollection_store_icechunk.failures import translated
from zcollection_store_icechunk.hierarchy import Hierarchy
from zcollection_store_icechunk.places import Place

P = ParamSpec("P")
R = TypeVar("R")

VACUUM: Final = "vacuum"
"""The message of the commit of a vacuum, and the key of its metadata with the time limit of the deletion."""


async def locked(lock: str | None, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a slow function on a thread, while the lock, if there is one, prevents commits by other processes."""

    def call() -> R:
        with nullcontext() if lock is None else FileLock(lock):
            return function(*args, **kwargs)

    return await to_thread.run_sync(call)


@frozen(kw_only=True)
class IcechunkFork(StoreFork):
    """A session for another process, on the same snapshot.

    Attributes
    ----------
    url
        The URL of the repository, for messages.
    session
        The session of Icechunk.
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
        The URL of the repository, for messages.
    repository, session
        The repository and the session of Icechunk.
    place
        The location of the repository.
    begun
        The start time, before the first write.
    """

    url: StoreURL
    repository: icechunk.Repository
    session: icechunk.Session
    place: Place
    begun: dt.datetime

    @property
    def base(self) -> str:
        """The id of the snapshot that the session is based on."""
        return self.session.snapshot_id

    @property
    def zarr(self) -> Hierarchy:
        """The session as a Zarr store."""
        return Hierarchy(self.session.store, self.url)

    async def commit(self, message: str, metadata: Mapping[str, Any]) -> str | None:
        """Commit; return None if the branch has changed since."""
        try:
            with translated(self.url, "commit to"):
                try:
                    if self.place.lock is None:
                        return await self.session.commit_async(message, dict(metadata))
                    return await locked(self.place.lock, self.session.commit, message, dict(metadata))
                except icechunk.ConflictError:
                    return None
        except CorruptionError:
            if await self.repository.lookup_branch_async(self._branch) == self.base:
                raise
            return None  # a vacuum may have removed objects of the session

    @property
    def _branch(self) -> str:
        return cast("str", self.session.branch)  # a writable session has one

    async def rebase(self) -> None:
        """Rebase the session on the tip of its branch."""
        try:
            await self._check_kept()
            with translated(self.url, "rebase on"):
                try:
                    await self.session.rebase_async(icechunk.ConflictDetector())
                except (icechunk.RebaseFailedError, icechunk.ConflictError) as error:
                    raise self._conflict() from error
        except CorruptionError as error:
            # The changes of other writers cannot be read from their log: the operation must run again.
            raise self._conflict() from error

    async def _check_kept(self) -> None:
        """Check that no vacuum since may have deleted the uncommitted objects of the session.

        Raises
        ------
        ConflictError
            A vacuum may have deleted them.
        """
        with translated(self.url, "read the history of"):
            async for info in self.repository.async_ancestry(branch=self._branch):
                if info.id == self.base:
                    return
                limit = info.metadata.get(VACUUM)
                if limit is not None and dt.datetime.fromisoformat(limit) > self.begun - self.place.lag:
                    message = (
                        f"a vacuum of {self.url} has removed objects written before {limit} and not committed; nothing was "
                        f"committed, run the operation again"
                    )
                    raise ConflictError(message)

    def _conflict(self) -> ConflictError:
        message = (
            f"another writer changed the same part of {self.url} since snapshot {self.base}; nothing was written, run the "
            f"operation again"
        )
        return ConflictError(message)

    def fork(self) -> IcechunkFork:
        """Return a session that can be pickled, for a worker."""
        if self.session.has_uncommitted_changes:
            message = f"a session of {self.url} has uncommitted changes and cannot be forked; fork it before writing, and merge afterwards"
            raise StoreError(message)
        return IcechunkFork(url=self.url, session=self.session.fork())

    async def merge(self, forks: Iterable[StoreFork]) -> None:
        """Merge the changes of forks into the session."""
        sessions = [cast("IcechunkFork", fork).session for fork in forks]
        with translated(self.url, "merge the work of several processes into"):
            await self.session.merge_async(*sessions)
