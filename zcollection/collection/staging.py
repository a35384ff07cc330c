"""Runs the jobs that stage the partitions of a change, and reports their progress."""

from collections.abc import Iterable
from typing import Any, TypeVar

from zcollection import config
from zcollection.engine.jobs import Executor, Job
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.change import Transaction

R = TypeVar("R")


async def staged(
    executor: Executor,
    transaction: Transaction,
    jobs: Iterable[Job[Any, R]],
    *,
    total: int,
    progress: ProgressOption,
) -> list[R]:
    """Return the results of jobs that stage partitions of a change.

    Parameters
    ----------
    executor
        The executor of the jobs.
    transaction
        The transaction of the change; its operation labels the progress.
    jobs, total
        The jobs, which are created one at a time as needed, and their number.
    progress
        As for `Collection.query`.
    """
    label = transaction.operation
    with tracking(progress, total, label) as advance:
        return await executor.run(
            transaction.stage, jobs, total=total, label=label, threads=config.get().threads, progress=advance
        )
