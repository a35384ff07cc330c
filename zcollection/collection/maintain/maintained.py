"""The base class of collections and views: history, versions, tags, rollback, verification, repair and vacuum."""

import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from zcollection.collection.filters import Filter
from zcollection.collection.maintain import older
from zcollection.collection.maintain import verify as _verify
from zcollection.collection.maintain.ages import Keep, kept_by, seconds_of
from zcollection.collection.maintain.following import Following
from zcollection.collection.maintain.older import Difference
from zcollection.collection.maintain.verify import RepairReport, Share, VerifyReport
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read import sizes
from zcollection.contracts.transactional import Moment
from zcollection.contracts.url import StoreURL
from zcollection.engine.executors import ClientOption
from zcollection.errors import SettingError
from zcollection.model import bridges
from zcollection.model.durations import Duration
from zcollection.model.printed import Printed
from zcollection.model.sections import Section, Table, heading
from zcollection.portal import run_change, synchronous
from zcollection.progress import ProgressOption
from zcollection.transaction.reports import Changes, Committed, History, Label, VacuumReport

R = TypeVar("R")


def section_of(item: object, url: StoreURL, facts: Mapping[str, object], *, read_only: bool) -> Section:
    """Return the printed section of a collection or a view at a URL."""
    mode = "read-only" if read_only else "read and write"
    return Section(heading(item, f"{url} ({mode})"), [Table.pairs("", facts)])


async def _newer(known: Label | None, opened: OpenCollection) -> list[Committed]:
    versioning = await opened.versioning.refreshed()  # a reader may be fixed at an older snapshot
    return await versioning.newer(known)


class Maintained(Printed, ABC):
    """The operations on versions and on the stored data that collections and views share."""

    @abstractmethod
    async def _run(self, operation: Callable[[OpenCollection], Awaitable[R]]) -> R:
        """Run an operation; repeat it if another writer has changed the schema or the partitioning in the meantime."""

    async def _change(self, operation: Callable[[OpenCollection], Awaitable[R]]) -> R:
        """Run an operation that changes the store; it runs to its end even if the caller is cancelled."""
        self._check_writable()
        return await run_change(self._run, operation)

    @abstractmethod
    async def _reload(self) -> None:
        """Load the current configuration from the store."""

    @abstractmethod
    def _check_writable(self) -> None:
        """Raise `ReadOnlyError` unless it was opened for writing."""

    async def history_async(self, *, last: int | None = None) -> History:
        """Return the committed versions in the log, oldest first.

        Parameters
        ----------
        last
            Return only this number of the newest versions. Older ones are not read, so that totals are unknown. None returns
            all.

        Raises
        ------
        SettingError
            `last` is not a number of at least 1.
        """
        if last is not None and not (type(last) is int and last > 0):
            message = f"last={last!r}; accepted: a whole number from 1 on, or None for all versions"
            raise SettingError(message)
        return History(await self._run(lambda opened: opened.versioning.history(last)))

    history = synchronous(history_async)

    async def changes_async(self, *, since: Label) -> Changes:
        """Return the partitions that changed after a version, so that a job can process only what is new.

        Parameters
        ----------
        since
            A version, such as the `Changes.version` of the previous call, or the version of a `HistoryEntry`; 0 returns
            all changes.

        Raises
        ------
        SettingError
            The version does not exist.
        """
        return await self._run(lambda opened: opened.versioning.changes(opened.configuration, since))

    changes = synchronous(changes_async)

    async def retain_async(self, keep: Keep) -> None:
        """Set the retention: how long older versions stay readable.

        From now on, partitions that a change replaces or drops are kept. `vacuum` removes those that no retained version
        needs.

        Parameters
        ----------
        keep
            A number of versions before the newest; a duration such as "30d", or a timedelta, for which a version is retained
            after it was replaced; or None, which retains only tagged versions.

        Raises
        ------
        SettingError
            `keep` is invalid, or the store has its own retention, such as Icechunk.
        ReadOnlyError
            The collection was opened for reading.
        """
        versions, seconds = kept_by(keep)
        await self._change(
            lambda opened: opened.versioning.retain(opened.configuration, versions=versions, seconds=seconds)
        )
        await self._reload()

    retain = synchronous(retain_async)

    async def tag_async(self, name: str, version: Label | None = None) -> None:
        """Tag a version, so that it can be opened by the name; a tagged version is retained until its tag is removed.

        Parameters
        ----------
        name
            A letter, followed by letters, digits and ". _ + -".
        version
            The version, by its number or the id of its snapshot; the newest by default.

        Raises
        ------
        SettingError
            The name is invalid or already in use, or the version does not exist.
        ReadOnlyError
            The collection was opened for reading.
        """
        await self._change(lambda opened: opened.versioning.tag(opened.configuration, name, version))
        await self._reload()

    tag = synchronous(tag_async)

    async def untag_async(self, name: str) -> None:
        """Remove a tag; its version is then retained only as long as the retention requires.

        Raises
        ------
        SettingError
            The tag does not exist.
        ReadOnlyError
            The collection was opened for reading.
        """
        await self._change(lambda opened: opened.versioning.untag(opened.configuration, name))
        await self._reload()

    untag = synchronous(untag_async)

    async def tags_async(self) -> dict[str, Label]:
        """Return the tagged versions, by tag name."""
        return await self._run(lambda opened: opened.versioning.tags())

    tags = synchronous(tags_async)

    async def rollback_async(
        self, to: Moment, *, client: ClientOption = None, progress: ProgressOption = None
    ) -> tuple[str, ...]:
        """Restore the state of an older version, as one change, and return the paths of the restored or dropped partitions.

        Partitions that have not changed since are not written. The schema is restored, and sources that were inserted since
        can be inserted again. The versions in between stay in the history, and can be rolled back to.

        Parameters
        ----------
        to
            The version, by its number or the id of its snapshot; a tag; or a time, such as "2026-11-20T06:00".
        client, progress
            As for `query`.

        Raises
        ------
        SettingError, StoreError
            The version does not exist, or is not retained.
        ReadOnlyError
            The collection was opened for reading.
        """
        paths = await self._change(lambda opened: older.rollback(opened, to, client=client, progress=progress))
        await self._reload()
        return paths

    rollback = synchronous(rollback_async)

    async def diff_async(
        self, before: Moment, after: Moment | None = None, *, progress: ProgressOption = None
    ) -> Difference:
        """Return the difference between two versions: the rows added, removed and changed in each partition.

        Rows are matched by their axis value, and rows with equal axis values by their order. Only partitions that were
        written or dropped between the two versions are read.

        Parameters
        ----------
        before, after
            The versions, as for `rollback`; `after` is the newest by default.
        progress
            As for `query`.

        Raises
        ------
        SettingError, StoreError
            A version does not exist, or is not retained.
        """
        return await self._run(lambda opened: older.diff(opened, before, after, progress=progress))

    diff = synchronous(diff_async)

    def follow(self, *, since: Label | None = None, every: Duration = "10s") -> Following:
        """Return an endless iterable of versions as they are committed, each with the partitions that it changed.

        It supports ``for`` and ``async for``.

        Parameters
        ----------
        since
            Start after this version, such as the last one that was processed; 0 starts with the first version, None with the
            next commit.
        every
            Time between two polls while there is no new version. On a file system and on object storage, a poll reads two
            objects.

        Raises
        ------
        SettingError
            `every` is not a duration; or, during the iteration, the version does not exist.
        """

        async def newer(known: Label | None) -> list[Committed]:
            return await self._run(partial(_newer, known))

        return Following(newer, since, seconds_of(every, name="every"))

    async def sources_async(self) -> tuple[str, ...]:
        """Return the names of all sources that have been inserted since the collection was created, oldest first.

        A source stays in the list when its rows are dropped, and after a vacuum.
        """
        return await self._run(lambda opened: opened.versioning.sources())

    sources = synchronous(sources_async)

    async def stored_bytes_async(self, *, filters: Filter = None) -> dict[str, int]:
        """Return the stored size of each variable in bytes, by path, from a listing of the store; no object is read.

        Parameters
        ----------
        filters
            As for `query`. Immutable variables are always counted.

        Raises
        ------
        StoreError
            The store cannot list objects.
        """
        return await self._run(lambda opened: sizes.stored_bytes(opened, filters=filters))

    stored_bytes = synchronous(stored_bytes_async)

    async def verify_async(
        self,
        *,
        data: Share = False,
        filters: Filter = None,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> VerifyReport:
        """Check the stored data for missing, damaged or inconsistent objects, without changing anything.

        Every Zarr document, the existence of every chunk, and the catalog are checked.

        Parameters
        ----------
        data
            True also reads every chunk, and detects truncated or damaged chunks as far as their codecs allow. A fraction
            such as 0.01 reads this fraction of the chunks, chosen at random in each call.
        filters
            The partitions to check, as for `query`. The catalog and the commit log are always checked.
        client, progress
            As for `query`.

        Returns
        -------
        VerifyReport
            Its `problems` name the partition, the variable and the chunk; empty if nothing is wrong.

        Raises
        ------
        SettingError
            `data` is not a boolean or a fraction.
        ConflictError
            Other writers kept changing the collection.
        """
        return await self._run(
            lambda opened: _verify.verify(opened, data=data, filters=filters, client=client, progress=progress)
        )

    verify = synchronous(verify_async)

    async def repair_async(self) -> RepairReport:
        """Repair what can be repaired without losing data that readers see.

        It publishes changes that a dead writer committed, writes missing Zarr documents, makes missing statistics, and
        rebuilds a wrong or missing catalog. Damaged data cannot be repaired: the report lists them as remaining problems.

        Raises
        ------
        ReadOnlyError
            The collection was opened for reading.
        """
        return await self._change(_verify.repair)

    repair = synchronous(repair_async)

    async def vacuum_async(self, *, older_than: Duration = "24h") -> VacuumReport:
        """Remove objects that are no longer needed: staged data of dead writers, old log records, versions not retained.

        `history` still lists all versions; `retain` and `tag` determine which versions stay readable. If the staged data of a
        slow writer are removed, the writer repeats its operation. A reader that has been reading for longer than
        `older_than` may have to query again.

        Parameters
        ----------
        older_than
            Minimum age of the objects to remove, by the clock of the store: such as "24h", "30min" or "7d", or a timedelta.

        Raises
        ------
        SettingError
            `older_than` is not a duration.
        ReadOnlyError
            The collection was opened for reading.
        """
        age = seconds_of(older_than)
        return await self._change(lambda opened: opened.versioning.vacuum(opened.configuration, age))

    vacuum = synchronous(vacuum_async)

    async def repair_catalog_async(self) -> int:
        """Rebuild the catalog from the stored partitions, and return their number.

        Readers find all partitions even if the catalog is wrong or missing, only more slowly, and the next insert rebuilds
        it. Call this to rebuild it at once.

        Raises
        ------
        ReadOnlyError
            The collection was opened for reading.
        """
        return await self._change(lambda opened: opened.versioning.rebuild_catalog(opened.configuration))

    repair_catalog = synchronous(repair_catalog_async)

    def report(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Any:
        """Return a report as one HTML page: summary, coverage, growth, health, sizes and a map.

        Calls ``zcollection_report.report``, and returns its ``Report``.

        Parameters
        ----------
        path
            The file to save the page to; None does not save it.
        **options
            Parameters of ``zcollection_report.report``.

        Raises
        ------
        MissingDependencyError
            zcollection-report is not installed.
        """
        made = bridges.bridge("report", "report()").report(self, **options)
        if path is not None:
            made.save(path)
        return made

    def _repr_html_(self) -> str:
        return bridges.notebook(self) or super()._repr_html_()
