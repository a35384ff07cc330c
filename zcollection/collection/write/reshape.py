"""Changes of the form in which a whole collection is stored, which a later call resumes after a failure."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from attrs import frozen

from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.report import ReshapeReport
from zcollection.collection.write.resuming import resumable
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.jobs import Executor, Job, Site
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.change import StagedPartition, Transaction
from zcollection.transaction.places import Place

StagingJob = Job[Any, tuple[StagedPartition, bool]]
"""Stages one partition, and returns it and whether it was reused from an earlier attempt."""


@frozen
class Reshape(ABC):
    """A change of all partitions of a collection that does not change rows.

    Attributes
    ----------
    opened, target
        The collection before the change and after it.
    executor, progress
        The executor of the work, and the receiver of its progress.
    """

    operation: ClassVar[str]

    opened: OpenCollection
    target: OpenCollection
    executor: Executor
    progress: ProgressOption

    async def attempt(self) -> ReshapeReport:
        """Make the change; its staged partitions are kept for another attempt if it has a conflict or is interrupted."""
        async with self.opened.begin(self.operation) as transaction:
            with resumable(transaction):
                return await self._changed(transaction)

    @abstractmethod
    async def _changed(self, transaction: Transaction) -> ReshapeReport:
        """Stage the partitions, commit the transaction, and return the report."""

    async def _stage(
        self,
        transaction: Transaction,
        site: Site,
        digests: Mapping[str, str],
        job: Callable[[str, Place | None], StagingJob],
        *,
        rows: int,
    ) -> tuple[list[StagedPartition], int]:
        """Stage partitions, and return them and the number of those reused from an earlier attempt.

        Parameters
        ----------
        transaction, site
            The transaction of the change, and the site on which the jobs work.
        digests
            A digest of the inputs of each partition, by its path.
        job
            Returns the job for a partition, given its path and the place where an earlier attempt has staged it, if
            any.
        rows
            Number of rows of all partitions together.
        """
        places = await transaction.resumed(digests) if digests else {}
        total, schema = len(digests), self.target.configuration.rows_schema
        with tracking(self.progress, total, self.operation) as advance:
            staged = await self.executor.run(
                site,
                (job(path, places.get(path)) for path in digests),
                total=total,
                label=self.operation,
                threads=worthwhile_threads(schema, self.target.dimension, rows // max(total, 1)),
                progress=advance,
            )
        return [item for item, _ in staged], sum(is_reused for _, is_reused in staged)
