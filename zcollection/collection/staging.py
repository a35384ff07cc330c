"""What a change does to each of its partitions, with its progress shown."""

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
    """Return what comes of jobs that stage partitions of a change, on as many threads as may be used.

    Parameters
    ----------
    executor
        Where they run.
    transaction
        The change, whose operation names them.
    jobs, total
        They themselves, each asked for when its turn comes, and how many there are.
    progress
        As for `Collection.query`.
    """
    label = transaction.operation
    with tracking(progress, total, label) as advance:
        return await executor.run(
            transaction.stage, jobs, total=total, label=label, threads=config.get().threads, progress=advance
        )
