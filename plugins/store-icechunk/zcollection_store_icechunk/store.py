"""The store of ``icechunk://`` URLs."""

import datetime as dt
from typing import Any, Self

import icechunk
from attrs import field, frozen

from zcollection.plugin import (
    Commit,
    ConflictError,
    CorruptionError,
    LocationError,
    Mode,
    Moment,
    PluginConfigurationError,
    ReadOnlyError,
    Reclaimed,
    StoreError,
    StoreURL,
    TransactionalStore,
    accepted,
)
from zcollection_store_icechunk.failures import damage, telling
from zcollection_store_icechunk.hierarchy import Hierarchy
from zcollection_store_icechunk.places import Place, place_of, settled
from zcollection_store_icechunk.repository import Opened, create_repository
from zcollection_store_icechunk.session import VACUUM, IcechunkSession, alone

_POINTS = ("branch", "tag", "snapshot")
_TRIES = 100


@frozen(kw_only=True)
class IcechunkStore(TransactionalStore):
    """An Icechunk repository.

    Attributes
    ----------
    url
        Where; a local path is absolute.
    read_only
        Whether every write is refused.
    branch
        What is read, and written to.
    tag, pinned
        A tag, or the id of a snapshot, that is read instead; such a store is never written to.
    spec_version
        Version of Icechunk's format of a repository that is created: 1 can be read by all releases.
    """

    url: StoreURL = field(eq=str)
    read_only: bool
    branch: str = "main"
    tag: str | None = None
    pinned: str | None = None
    spec_version: int = 1
    _options: dict[str, Any] = field(factory=dict, repr=False, hash=False)
    _opened: Opened = field(factory=Opened, eq=False, repr=False, init=False)

    @classmethod
    async def open(
        cls,
        url: StoreURL,
        *,
        mode: Mode,
        branch: str | None = None,
        spec_version: int = 1,
        **options: Any,
    ) -> Self:
        """Return the store at a URL; this creates nothing.

        Parameters
        ----------
        url
            ``icechunk:///path``, whose path is taken literally but for ``~``, ``icechunk+s3://bucket/prefix``, or with ``gs``, ``az`` or ``memory`` after the plus.
            ``?branch=``, ``?tag=`` or ``?snapshot=`` says what is opened; a tag or snapshot is only read.
        mode
            "r" or "rw".
        branch
            As ``?branch=``; "main" by default.
        spec_version
            Version of Icechunk's format, for a repository that is created. 1 can be read by Icechunk 1 and 2, 2 only by
            Icechunk 2.
        **options
            Of the storage below, see `places` or the README; by default credentials are those of the environment.

        Raises
        ------
        LocationError
            The URL is not one of a repository.
        ReadOnlyError
            It names a tag or snapshot, and `mode` is "rw".
        PluginConfigurationError
            An option does not belong to this kind of storage.
        """
        url = settled(url)
        given = {name: value for name, value in options.items() if value is not None}
        place_of(url, given)
        if spec_version not in {1, 2}:
            message = f"spec_version={spec_version!r} for {url}; accepted: 1, 2"
            raise PluginConfigurationError(message)
        said = _points(url, branch)
        if mode == "rw" and said.keys() & {"tag", "snapshot"}:
            message = f"{url} names a tag or snapshot, which stays as it is; accepted: mode='r', or a branch"
            raise ReadOnlyError(message)
        return cls(
            url=url,
            read_only=mode == "r",
            branch=said.get("branch", "main"),
            tag=said.get("tag"),
            pinned=said.get("snapshot"),
            spec_version=spec_version,
            options=given,
        )

    @property
    def _place(self) -> Place:
        return place_of(self.url, self._options)

    @property
    def cross_process(self) -> bool:  # type: ignore[override]  # in memory it is not
        """Whether what one process writes, another one reads."""
        return self._place.cross_process

    async def _repository(self) -> icechunk.Repository | None:
        """Return the repository, or None where there is none yet."""
        with telling(self.url, "open", by_name=True):
            return await self._opened.repository(self._place)

    async def _existing(self) -> icechunk.Repository:
        repository = await self._repository()
        if repository is None:
            message = f"there is no Icechunk repository at {self.url}; create a collection there, or check the URL"
            raise StoreError(message)
        return repository

    async def current(self) -> str | None:
        """Return the id of the snapshot at the tip of the branch, or of the point that the URL names."""
        repository = await self._repository()
        if repository is None:
            return None
        if self.tag is not None:
            with telling(self.url, f"find tag {self.tag!r} of", by_name=True):
                return await repository.lookup_tag_async(self.tag)
        if self.pinned is not None:
            return await self._checked(repository, self.pinned)
        with telling(self.url, f"find branch {self.branch!r} of", by_name=True):
            return await repository.lookup_branch_async(self.branch)

    async def _checked(self, repository: icechunk.Repository, snapshot: str) -> str:
        return (await self._looked_at(repository, snapshot)).snapshot_id

    async def resolve(self, at: Moment) -> str:
        """Return the id of a snapshot, of what a tag names, or of the newest snapshot at a time."""
        repository = await self._existing()
        if isinstance(at, dt.datetime):
            moment = (at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
            with telling(self.url, f"find what there was at {moment.isoformat()} in"):
                session = await repository.readonly_session_async(self.branch, as_of=moment)
                return session.snapshot_id
        if not isinstance(at, str):
            message = f"at={at!r} for {self.url}; accepted: the id of a snapshot, a tag, or a time"
            raise StoreError(message)
        with telling(self.url, f"find tag {at!r} of"):
            if at in await repository.list_tags_async():
                return await repository.lookup_tag_async(at)
        return await self._checked(repository, at)

    async def tags(self) -> dict[str, str]:
        """Return the snapshots that have a tag, by its name."""
        repository = await self._existing()
        with telling(self.url, "list the tags of"):
            names = sorted(await repository.list_tags_async())
            return {name: await repository.lookup_tag_async(name) for name in names}

    async def add_tag(self, name: str, snapshot: str) -> None:
        """Give a snapshot a tag; Icechunk never gives the same name twice, not even after the tag was deleted."""
        self.check_writable()
        repository = await self._existing()
        with telling(self.url, f"give the tag {name!r} in", by_name=True):
            await repository.create_tag_async(name, snapshot)

    async def remove_tag(self, name: str) -> None:
        """Delete a tag."""
        self.check_writable()
        repository = await self._existing()
        with telling(self.url, f"delete the tag {name!r} of", by_name=True):
            await repository.delete_tag_async(name)

    async def snapshot(self, snapshot: str) -> Hierarchy:
        """Return the Zarr hierarchy of a snapshot."""
        repository = await self._existing()
        try:
            session = await self._looked_at(repository, snapshot)
        except StoreError as error:
            if await self.current() == snapshot:
                raise damage(str(error)) from None
            raise  # a vacuum may have removed it
        return Hierarchy(session.store, self.url)

    async def _looked_at(self, repository: icechunk.Repository, snapshot: str) -> icechunk.Session:
        """Open a snapshot; each release has its own way to look at it at once, which it would else do later, or never."""
        with telling(self.url, f"find snapshot {snapshot!r} of", by_name=True):
            found = await repository.lookup_snapshot_async(snapshot)
            session = await repository.readonly_session_async(snapshot_id=snapshot)
            await session.store.exists("zarr.json")
        if found.id != snapshot:
            raise self._mistaken(snapshot, found.id)
        return session

    def _mistaken(self, snapshot: str, found: str) -> CorruptionError:
        message = (
            f"snapshot {snapshot} of {self.url} says that it is {found}: another object lies in its place; restore it from a "
            f"copy, or read an earlier snapshot with at="
        )
        return CorruptionError(message)

    async def begin(self, *, create: bool = False) -> IcechunkSession:
        """Open a session on the tip of the branch."""
        self.check_writable()
        repository = await self._repository()
        if repository is None and create:
            with telling(self.url, "create"):
                await create_repository(self._place, spec_version=self.spec_version)
        repository = await self._existing()
        return await self._session(repository, self.branch)

    async def _session(self, repository: icechunk.Repository, branch: str) -> IcechunkSession:
        begun = dt.datetime.now(dt.UTC)
        with telling(self.url, f"write to branch {branch!r} of"):
            session = await repository.writable_session_async(branch)
        return IcechunkSession(url=self.url, repository=repository, session=session, place=self._place, begun=begun)

    async def history(self, snapshot: str) -> list[Commit]:
        """Return the commits that led to a snapshot, newest first; without that which made the repository."""
        await self.snapshot(snapshot)
        try:
            found = await self._ancestry(snapshot)
        except CorruptionError:
            self._opened.forget()
            found = await self._ancestry(snapshot)
        for wanted, info in zip([snapshot, *(info.parent_id for info in found)], found, strict=False):
            if info.id != wanted:
                raise self._mistaken(str(wanted), info.id)
        return [
            Commit(snapshot=info.id, time=info.written_at, message=info.message, metadata=dict(info.metadata))
            for info in found
            if info.parent_id is not None
        ]

    async def _ancestry(self, snapshot: str) -> list[icechunk.SnapshotInfo]:
        repository = await self._existing()
        with telling(self.url, "read the history of"):
            return [info async for info in repository.async_ancestry(snapshot_id=snapshot)]

    async def keeps(self, snapshot: str) -> bool:
        """Return whether a branch or a tag leads to a snapshot, as a repository says that is opened for this: one remembers."""
        with telling(self.url, "look for old snapshots of"):
            repository = await Opened().repository(self._place)
            if repository is None:
                return True
            known = {await repository.lookup_tag_async(tag) for tag in await repository.list_tags_async()}
            for branch in await repository.list_branches_async():
                known.add(await repository.lookup_branch_async(branch))
                known.update([str(info.parent_id) async for info in repository.async_ancestry(branch=branch)])
        return snapshot in known

    async def vacuum(self, older_than: dt.datetime) -> Reclaimed:
        """Expire snapshots older than a time, and delete what only they hold.

        Icechunk deletes by age whatever no branch leads to, and so the chunks of a session in the making. A commit to each
        branch goes before: whoever has begun earlier meets it, and conflicts where chunks may be gone.
        """
        self.check_writable()
        repository, place = await self._existing(), self._place
        with telling(self.url, "remove old snapshots of"):
            expired = await alone(place.lock, repository.expire_snapshots, older_than)
            limit = min(older_than, dt.datetime.now(dt.UTC) - place.lag)
            summary = await alone(place.lock, repository.garbage_collect, limit, dry_run=True)
            branches = await repository.list_branches_async()
        if summary.bytes_deleted and all([await self._mark(repository, branch, limit) for branch in sorted(branches)]):
            with telling(self.url, "remove what is old from"):
                summary = await alone(place.lock, repository.garbage_collect, limit)
            return Reclaimed(snapshots=len(expired), bytes=summary.bytes_deleted)
        return Reclaimed(snapshots=len(expired), bytes=0)

    async def _mark(self, repository: icechunk.Repository, branch: str, limit: dt.datetime) -> bool:
        """Commit that a vacuum deletes what is older than a limit; False where there is no group yet to say so in."""
        for _ in range(_TRIES):
            session = await self._session(repository, branch)
            if not await session.zarr.exists("zarr.json"):
                return False
            await session.save_document(f"{VACUUM}.json", limit.isoformat().encode())
            if await session.commit(VACUUM, {VACUUM: limit.isoformat()}) is not None:
                return True
        message = f"other writers kept changing {self.url}; nothing was deleted, call vacuum() again"
        raise ConflictError(message)


def _points(url: StoreURL, branch: str | None) -> dict[str, str]:
    """Return what is to be opened, by the kind of name that the URL, or the option `branch`, gives it."""
    said = dict(url.query)
    for name in said:
        if name not in _POINTS:
            message = f"{url} has the parameter {name!r}; {accepted(name, _POINTS)}"
            raise LocationError(message)
    if branch is not None:
        said.setdefault("branch", branch)
    if len(said) > 1 or (branch is not None and said.get("branch") != branch):
        message = (
            f"{url} says what to open more than once: {', '.join(sorted(said))}; accepted: one of {', '.join(_POINTS)}"
        )
        raise LocationError(message)
    return said
