"""A change in the making: a writable session of Icechunk."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Final, ParamSpec, TypeVar, cast

import icechunk
from anyio import to_thread
from attrs import frozen
from filelock import FileLock

from zcollection.plugin import ConflictError, CorruptionError, StoreError, StoreFork, StoreSession, StoreURL
from zcollection_store_icechunk.failures import telling
from zcollection_store_icechunk.hierarchy import Hierarchy
from zcollection_store_icechunk.places import Place

P = ParamSpec("P")
R = TypeVar("R")

VACUUM: Final = "vacuum"
"""What a commit is called, and the key of its metadata, that tells up to when what nobody led to was deleted."""


async def alone(lock: str | None, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call on a thread what takes long, while no other process commits, where a lock sees to that."""

    def call() -> R:
        with nullcontext() if lock is None else FileLock(lock):
            return function(*args, **kwargs)

    return await to_thread.run_sync(call)


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
    repository, session
        Icechunk's.
    place
        Where the repository lies.
    begun
        When, before anything was written.
    """

    url: StoreURL
    repository: icechunk.Repository
    session: icechunk.Session
    place: Place
    begun: dt.datetime

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
        try:
            with telling(self.url, "commit to"):
                try:
                    if self.place.lock is None:
                        return await self.session.commit_async(message, dict(metadata))
                    return await alone(self.place.lock, self.session.commit, message, dict(metadata))
                except icechunk.ConflictError:
                    return None
        except CorruptionError:
            if await self.repository.lookup_branch_async(self._branch) == self.base:
                raise
            return None  # a vacuum may have removed what it is made from

    @property
    def _branch(self) -> str:
        return cast("str", self.session.branch)  # a session that is written to has one

    async def rebase(self) -> None:
        """Put the session on the tip of its branch."""
        try:
            await self._check_kept()
            with telling(self.url, "rebase on"):
                try:
                    await self.session.rebase_async(icechunk.ConflictDetector())
                except (icechunk.RebaseFailedError, icechunk.ConflictError) as error:
                    raise self._conflict() from error
        except CorruptionError as error:
            # What others did cannot be told from their log, and need not be: made anew, the change is based on it.
            raise self._conflict() from error

    async def _check_kept(self) -> None:
        """Check that no vacuum since may have deleted what was written: it was done before, or spares what is so young.

        Raises
        ------
        ConflictError
            One may have.
        """
        with telling(self.url, "read the history of"):
            async for info in self.repository.async_ancestry(branch=self._branch):
                if info.id == self.base:
                    return
                limit = info.metadata.get(VACUUM)
                if limit is not None and dt.datetime.fromisoformat(limit) > self.begun - self.place.lag:
                    message = (
                        f"a vacuum of {self.url} has removed what was written before {limit} and not committed; nothing was "
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
