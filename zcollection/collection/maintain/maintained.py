"""What keeps a store in order: its history, what is wrong with it, and what nobody needs; alike for collections and views."""

import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from zcollection.collection.filters import Filter
from zcollection.collection.maintain import older
from zcollection.collection.maintain import verify as _verify
from zcollection.collection.maintain.ages import Duration, Keep, kept_by, seconds_of
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
from zcollection.model.printed import Printed
from zcollection.model.sections import Section, Table, heading
from zcollection.portal import run_change, synchronous
from zcollection.progress import ProgressOption
from zcollection.transaction.reports import Changes, Committed, History, Label, VacuumReport

R = TypeVar("R")


def section_of(item: object, url: StoreURL, facts: Mapping[str, object], *, read_only: bool) -> Section:
    """Return the section of what was opened at a URL."""
    mode = "read-only" if read_only else "read and write"
    return Section(heading(item, f"{url} ({mode})"), [Table.pairs("", facts)])


async def _newer(known: Label | None, opened: OpenCollection) -> list[Committed]:
    versioning = await opened.versioning.refreshed()  # of a reader that is held at a snapshot
    return await versioning.newer(known)


class Maintained(Printed, ABC):
    """A store with versions, in order or not."""

    @abstractmethod
    async def _now(self, operation: Callable[[OpenCollection], Awaitable[R]]) -> R:
        """Do something with the store, again where another writer has changed the schema or the partitioning meanwhile."""

    async def _change(self, operation: Callable[[OpenCollection], Awaitable[R]]) -> R:
        """Do something that changes the store, to its end or not at all, whoever waits for it."""
        self._check_writable()
        return await run_change(self._now, operation)

    @abstractmethod
    async def _reload(self) -> None:
        """Take over the configuration as it is stored by now."""

    @abstractmethod
    def _check_writable(self) -> None:
        """Raise `ReadOnlyError` unless it was opened for writing."""

    async def history_async(self, *, last: int | None = None) -> History:
        """Return the versions of this collection that the log holds, oldest first.

        Parameters
        ----------
        last
            How many of the newest alone: of the older ones nothing is read, and no totals are known. None for all.

        Raises
        ------
        SettingError
            `last` is no number from 1 on.
        """
        if last is not None and not (type(last) is int and last > 0):
            message = f"last={last!r}; accepted: a whole number from 1 on, or None for all versions"
            raise SettingError(message)
        return History(await self._now(lambda opened: opened.versioning.history(last)))

    history = synchronous(history_async)

    async def changes_async(self, *, since: Label) -> Changes:
        """Return which partitions changed after a version, so that a job can follow the collection.

        Parameters
        ----------
        since
            A version, such as the `Changes.version` of the last time, or that of a `HistoryEntry`; 0 for all that ever
            changed.

        Raises
        ------
        SettingError
            There is no such version.
        """
        return await self._now(lambda opened: opened.versioning.changes(opened.configuration, since))

    changes = synchronous(changes_async)

    async def retain_async(self, keep: Keep) -> None:
        """Say how long older versions stay readable, from now on.

        What a change replaces or drops is kept then, until `vacuum` removes what no version needs which is to be kept.

        Parameters
        ----------
        keep
            A number of versions before the newest; a duration such as "30d", or a timedelta, for which a version stays
            after it was replaced; or None, which keeps none but those that have a tag.

        Raises
        ------
        SettingError
            It is none of these, or the store keeps versions by its own means, such as Icechunk.
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
        """Give a version a name, by which it can be opened and stays readable, whatever `retain` says.

        Parameters
        ----------
        name
            A letter, and letters, digits and ". _ + -" after it.
        version
            The version, by its number or the id of its snapshot; the newest by default.

        Raises
        ------
        SettingError
            The name is taken, or none, or there is no such version.
        ReadOnlyError
            The collection was opened for reading.
        """
        await self._change(lambda opened: opened.versioning.tag(opened.configuration, name, version))
        await self._reload()

    tag = synchronous(tag_async)

    async def untag_async(self, name: str) -> None:
        """Take a name away from a version, which then stays for as long as `retain` says.

        Raises
        ------
        SettingError
            There is no such name.
        ReadOnlyError
            The collection was opened for reading.
        """
        await self._change(lambda opened: opened.versioning.untag(opened.configuration, name))
        await self._reload()

    untag = synchronous(untag_async)

    async def tags_async(self) -> dict[str, Label]:
        """Return the versions that have a name, by name."""
        return await self._now(lambda opened: opened.versioning.tags())

    tags = synchronous(tags_async)

    async def rollback_async(
        self, to: Moment, *, client: ClientOption = None, progress: ProgressOption = None
    ) -> tuple[str, ...]:
        """Put back what there was at an older version, as one change, and return the paths of the partitions concerned.

        Partitions that are still the same are not touched; the schema becomes that of then, and sources that were inserted
        since can be inserted again. The versions in between stay in the history, and can be rolled back to.

        Parameters
        ----------
        to
            The version, by its number or the id of its snapshot; a tag; or a time, such as "2026-11-20T06:00".
        client, progress
            As for `query`.

        Raises
        ------
        SettingError, StoreError
            There is no such version, or it is not kept.
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
        """Return what differs between two versions: the rows added, removed and changed in each partition.

        Rows are told apart by their axis value; where several have the same, by their order among these. Only partitions
        that were written or dropped between the two are read.

        Parameters
        ----------
        before, after
            The versions, as for `rollback`; the newest by default.
        progress
            As for `query`.

        Raises
        ------
        SettingError, StoreError
            There is no such version, or it is not kept.
        """
        return await self._now(lambda opened: older.diff(opened, before, after, progress=progress))

    diff = synchronous(diff_async)

    def follow(self, *, since: Label | None = None, every: Duration = "10s") -> Following:
        """Return the versions as they are committed, each with the partitions that it changed: for ``for``, and ``async for``.

        Parameters
        ----------
        since
            The version after which to begin, such as the last one that was dealt with; 0 for all, None for those to come.
        every
            Time between two looks where nothing is new. On a file system, and on object storage, a look reads two objects.

        Raises
        ------
        SettingError
            The time is none; or, in the iteration, there is no such version.
        """

        async def newer(known: Label | None) -> list[Committed]:
            return await self._now(partial(_newer, known))

        return Following(newer, since, seconds_of(every, name="every"))

    async def sources_async(self) -> tuple[str, ...]:
        """Return the sources that have been inserted, in order, since the collection was created.

        They stay known when their rows are dropped, and after a vacuum.
        """
        return await self._now(lambda opened: opened.versioning.sources())

    sources = synchronous(sources_async)

    async def stored_bytes_async(self, *, filters: Filter = None) -> dict[str, int]:
        """Return how many bytes the objects of each variable take, by its path; the objects are listed, and none is read.

        Parameters
        ----------
        filters
            As for `query`. Variables that do not span the axis are counted in any case.

        Raises
        ------
        StoreError
            The store lists nothing.
        """
        return await self._now(lambda opened: sizes.stored_bytes(opened, filters=filters))

    stored_bytes = synchronous(stored_bytes_async)

    async def verify_async(
        self,
        *,
        data: Share = False,
        filters: Filter = None,
        client: ClientOption = None,
        progress: ProgressOption = None,
    ) -> VerifyReport:
        """Look for what is wrong, and change nothing.

        Every document and the existence of every chunk are checked, and the catalog against the partitions.

        Parameters
        ----------
        data
            True also reads every chunk: one that is cut or damaged is found where its codecs can tell. A share such as 0.01
            reads so many of them, others each time.
        filters
            The partitions that are looked at, as for `query`; what lies around them is looked at in any case.
        client, progress
            As for `query`.

        Returns
        -------
        VerifyReport
            Its `problems` name partition, variable and chunk; there are none where all is well.

        Raises
        ------
        SettingError
            `data` is no share.
        ConflictError
            Other writers kept changing the collection.
        """
        return await self._now(
            lambda opened: _verify.verify(opened, data=data, filters=filters, client=client, progress=progress)
        )

    verify = synchronous(verify_async)

    async def repair_async(self) -> RepairReport:
        """Mend what can be mended without losing anything that readers see.

        Changes that a dead writer committed are put in their place, missing documents of the tree are written, and a
        wrong or lost catalog is made anew. Damaged data cannot be mended: they remain in the report.

        Raises
        ------
        ReadOnlyError
            The collection was opened for reading.
        """
        return await self._change(_verify.repair)

    repair = synchronous(repair_async)

    async def vacuum_async(self, *, older_than: Duration = "24h") -> VacuumReport:
        """Remove what nobody needs any more: stages of writers that died, old records of the log, versions not to be kept.

        The history of versions is kept, as a list; which of them can be read, `retain` and `tag` say. A writer that was only slow, and whose stage is removed, runs its operation again;
        a reader that has been reading for longer than `older_than` may have to query again.

        Parameters
        ----------
        older_than
            Age from which on, by the store's own clock: such as "24h", "30min" or "7d", or a timedelta.

        Raises
        ------
        SettingError
            It is no duration.
        ReadOnlyError
            The collection was opened for reading.
        """
        age = seconds_of(older_than)
        return await self._change(lambda opened: opened.versioning.vacuum(opened.configuration, age))

    vacuum = synchronous(vacuum_async)

    async def repair_catalog_async(self) -> int:
        """Make the catalog anew from the partitions themselves, and return how many there are.

        A wrong or lost catalog hides nothing, and the next insert makes a new one; this spares readers the wait.

        Raises
        ------
        ReadOnlyError
            The collection was opened for reading.
        """
        return await self._change(lambda opened: opened.versioning.rebuild_catalog(opened.configuration))

    repair_catalog = synchronous(repair_catalog_async)

    def report(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Any:
        """Return what there is to say of it as one HTML file: what it is, coverage, growth, health, sizes, a map.

        Calls ``zcollection_report.report``, whose parameters these are, and returns its ``Report``.

        Parameters
        ----------
        path
            Where to save it; None saves nothing.
        **options
            Of ``zcollection_report.report``.

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
