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
from zcollection_store_icechunk.failures import damage, translated
from zcollection_store_icechunk.hierarchy import Hierarchy
from zcollection_store_icechunk.places import Place, place_of, settled
from zcollection_store_icechunk.repository import Opened, create_repository
from zcollection_store_icechunk.session import VACUUM, IcechunkSession, locked

_POINTS = ("branch", "tag", "snapshot")
_TRIES = 100


@frozen(kw_only=True)
class IcechunkStore(TransactionalStore):
    """An Icechunk repository.

    Attributes
    ----------
    url
        The URL of the repository; a local path is absolute.
    read_only
        Whether writes are rejected.
    branch
        The branch to read and write.
    tag, pinned
        A tag, or the id of a snapshot, to read instead; such a store is read-only.
    spec_version
        The format version of a new repository: all releases can read version 1.
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
        """Return the store of a URL; this creates nothing.

        Parameters
        ----------
        url
            ``icechunk:///path``, whose path is literal except for ``~``; ``icechunk+s3://bucket/prefix``, or with ``gs``, ``az`` or
            ``memory`` after the plus. ``?branch=``, ``?tag=`` or ``?snapshot=`` selects the version; tags and snapshots are read-only.
        mode
            "r" or "rw".
        branch
            The same as ``?branch=``; "main" by default.
        spec_version
            The format version of a new repository. Icechunk 1 and 2 can read version 1, only Icechunk 2 can read version 2.
        **options
            The options of the storage, see `places` or the README; by default credentials come from the environment.

        Raises
        ------
        LocationError
            The URL is not the URL of a repository.
        ReadOnlyError
            The URL names a tag or snapshot, and `mode` is "rw".
        PluginConfigurationError
            An option does not belong to this kind of storage.
        """
        url = settled(url)
        given = {name: value for name, value in options.items() if value is not None}
        place_of(url, given)
        if spec_version not in {1, 2}:
            message = f"spec_version={spec_version!r} for {url}; accepted: 1, 2"
            raise PluginConfigurationError(message)
        selected = _selected(url, branch)
        if mode == "rw" and selected.keys() & {"tag", "snapshot"}:
            message = f"{url} names a tag or snapshot, which is immutable; accepted: mode='r', or a branch"
            raise ReadOnlyError(message)
        return cls(
            url=url,
            read_only=mode == "r",
            branch=selected.get("branch", "main"),
            tag=selected.get("tag"),
            pinned=selected.get("snapshot"),
            spec_version=spec_version,
            options=given,
        )

    @property
    def _place(self) -> Place:
        return place_of(self.url, self._options)

    @property
    def cross_process(self) -> bool:  # type: ignore[override]  # in memory it is not
        """Whether other processes can read what this process writes."""
        return self._place.cross_process

    async def _repository(self) -> icechunk.Repository | None:
        """Return the repository; None if there is none yet."""
        with translated(self.url, "open", by_name=True):
            return await self._opened.repository(self._place)

    async def _existing(self) -> icechunk.Repository:
        repository = await self._repository()
        if repository is None:
            message = f"there is no Icechunk repository at {self.url}; create a collection there, or check the URL"
            raise StoreError(message)
        return repository

    async def current(self) -> str | None:
        """Return the id of the snapshot at the tip of the branch, or of the tag or snapshot in the URL."""
        repository = await self._repository()
        if repository is None:
            return None
        if self.tag is not None:
            with translated(self.url, f"find tag {self.tag!r} of", by_name=True):
                return await repository.lookup_tag_async(self.tag)
        if self.pinned is not None:
            return await self._checked(repository, self.pinned)
        with translated(self.url, f"find branch {self.branch!r} of", by_name=True):
            return await repository.lookup_branch_async(self.branch)

    async def _checked(self, repository: icechunk.Repository, snapshot: str) -> str:
        return (await self._session_at(repository, snapshot)).snapshot_id

    async def resolve(self, at: Moment) -> str:
        """Return the id of a snapshot, given its id, a tag or a time."""
        repository = await self._existing()
        if isinstance(at, dt.datetime):
            moment = (at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
            with translated(self.url, f"find the snapshot at {moment.isoformat()} in"):
                session = await repository.readonly_session_async(self.branch, as_of=moment)
                return session.snapshot_id
        if not isinstance(at, str):
            message = f"at={at!r} for {self.url}; accepted: the id of a snapshot, a tag, or a time"
            raise StoreError(message)
        with translated(self.url, f"find tag {at!r} of"):
            if at in await repository.list_tags_async():
                return await repository.lookup_tag_async(at)
        return await self._checked(repository, at)

    async def tags(self) -> dict[str, str]:
        """Return the tagged snapshots by tag."""
        repository = await self._existing()
        with translated(self.url, "list the tags of"):
            names = sorted(await repository.list_tags_async())
            return {name: await repository.lookup_tag_async(name) for name in names}

    async def add_tag(self, name: str, snapshot: str) -> None:
        """Tag a snapshot; Icechunk never allows the same name twice, not even after the tag was deleted."""
        self.check_writable()
        repository = await self._existing()
        with translated(self.url, f"create the tag {name!r} in", by_name=True):
            await repository.create_tag_async(name, snapshot)

    async def remove_tag(self, name: str) -> None:
        """Delete a tag."""
        self.check_writable()
        repository = await self._existing()
        with translated(self.url, f"delete the tag {name!r} of", by_name=True):
            await repository.delete_tag_async(name)

    async def snapshot(self, snapshot: str) -> Hierarchy:
        """Return the Zarr hierarchy of a snapshot."""
        repository = await self._existing()
        try:
            session = await self._session_at(repository, snapshot)
        except StoreError as error:
            if await self.current() == snapshot:
                raise damage(str(error)) from None
            raise  # a vacuum may have removed it
        return Hierarchy(session.store, self.url)

    async def _session_at(self, repository: icechunk.Repository, snapshot: str) -> icechunk.Session:
        """Open a snapshot and check it immediately, in ways that cover all releases of Icechunk."""
        with translated(self.url, f"find snapshot {snapshot!r} of", by_name=True):
            found = await repository.lookup_snapshot_async(snapshot)
            session = await repository.readonly_session_async(snapshot_id=snapshot)
            await session.store.exists("zarr.json")
        if found.id != snapshot:
            raise self._mistaken(snapshot, found.id)
        return session

    def _mistaken(self, snapshot: str, found: str) -> CorruptionError:
        message = (
            f"snapshot {snapshot} of {self.url} has the id {found}: it was replaced by another object; restore it from a "
            f"copy, or read an earlier snapshot with at="
        )
        return CorruptionError(message)

    async def begin(self, *, create: bool = False) -> IcechunkSession:
        """Open a session on the tip of the branch."""
        self.check_writable()
        repository = await self._repository()
        if repository is None and create:
            with translated(self.url, "create"):
                await create_repository(self._place, spec_version=self.spec_version)
        repository = await self._existing()
        return await self._session(repository, self.branch)

    async def _session(self, repository: icechunk.Repository, branch: str) -> IcechunkSession:
        begun = dt.datetime.now(dt.UTC)
        with translated(self.url, f"write to branch {branch!r} of"):
            session = await repository.writable_session_async(branch)
        return IcechunkSession(url=self.url, repository=repository, session=session, place=self._place, begun=begun)

    async def history(self, snapshot: str) -> list[Commit]:
        """Return the commits up to a snapshot, newest first, without the initial commit of the repository."""
        await self.snapshot(snapshot)
        try:
            found = await self._ancestry(snapshot)
        except CorruptionError:
            self._opened.forget()
            found = await self._ancestry(snapshot)
        for expected, info in zip([snapshot, *(info.parent_id for info in found)], found, strict=False):
            if info.id != expected:
                raise self._mistaken(str(expected), info.id)
        return [
            Commit(snapshot=info.id, time=info.written_at, message=info.message, metadata=dict(info.metadata))
            for info in found
            if info.parent_id is not None
        ]

    async def _ancestry(self, snapshot: str) -> list[icechunk.SnapshotInfo]:
        repository = await self._existing()
        with translated(self.url, "read the history of"):
            return [info async for info in repository.async_ancestry(snapshot_id=snapshot)]

    async def keeps(self, snapshot: str) -> bool:
        """Return whether a branch or a tag leads to a snapshot. The repository is opened again, because an open one caches."""
        with translated(self.url, "look for old snapshots of"):
            repository = await Opened().repository(self._place)
            if repository is None:
                return True
            known = {await repository.lookup_tag_async(tag) for tag in await repository.list_tags_async()}
            for branch in await repository.list_branches_async():
                known.add(await repository.lookup_branch_async(branch))
                known.update([str(info.parent_id) async for info in repository.async_ancestry(branch=branch)])
        return snapshot in known

    async def vacuum(self, older_than: dt.datetime) -> Reclaimed:
        """Expire snapshots older than a time, and delete the objects that only they contain.

        Icechunk deletes old objects that no branch refers to, which includes the chunks of an open session. A commit to each
        branch before the deletion makes earlier sessions conflict if their chunks may be deleted.
        """
        self.check_writable()
        repository, place = await self._existing(), self._place
        with translated(self.url, "remove old snapshots of"):
            expired = await locked(place.lock, repository.expire_snapshots, older_than)
            limit = min(older_than, dt.datetime.now(dt.UTC) - place.lag)
            summary = await locked(place.lock, repository.garbage_collect, limit, dry_run=True)
            branches = await repository.list_branches_async()
        if summary.bytes_deleted and all([await self._mark(repository, branch, limit) for branch in sorted(branches)]):
            with translated(self.url, "remove old objects from"):
                summary = await locked(place.lock, repository.garbage_collect, limit)
            return Reclaimed(snapshots=len(expired), bytes=summary.bytes_deleted)
        return Reclaimed(snapshots=len(expired), bytes=0)

    async def _mark(self, repository: icechunk.Repository, branch: str, limit: dt.datetime) -> bool:
        """Commit a record of a vacuum with its time limit; False if the branch has no root group yet."""
        for _ in range(_TRIES):
            session = await self._session(repository, branch)
            if not await session.zarr.exists("zarr.json"):
                return False
            await session.save_document(f"{VACUUM}.json", limit.isoformat().encode())
            if await session.commit(VACUUM, {VACUUM: limit.isoformat()}) is not None:
                return True
        message = f"other writers kept changing {self.url}; nothing was deleted, call vacuum() again"
        raise ConflictError(message)


def _selected(url: StoreURL, branch: str | None) -> dict[str, str]:
    """Return the selected branch, tag or snapshot, by the kind of its name."""
    selected = dict(url.query)
    for name in selected:
        if name not in _POINTS:
            message = f"{url} has the parameter {name!r}; {accepted(name, _POINTS)}"
            raise LocationError(message)
    if branch is not None:
        selected.setdefault("branch", branch)
    if len(selected) > 1 or (branch is not None and selected.get("branch") != branch):
        message = f"{url} selects a version more than once: {', '.join(sorted(selected))}; accepted: one of {', '.join(_POINTS)}"
        raise LocationError(message)
    return selected
