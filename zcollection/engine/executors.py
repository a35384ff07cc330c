"""The choice of the executor that runs an operation."""

import sys
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from zcollection import config, portal
from zcollection.contracts.store import Store
from zcollection.engine.dask_arrays import in_task
from zcollection.engine.jobs import Executor, LocalExecutor
from zcollection.errors import MissingDependencyError, SettingError, SynchronousCallError

if TYPE_CHECKING:
    from distributed import Client

ClientOption: TypeAlias = "Client | str | None"
"""Where an operation runs: on the Dask cluster of a client, of the active client, or as configured."""


def executor_for(client: object, store: Store) -> Executor:
    """Return the executor for an operation.

    Parameters
    ----------
    client
        A `distributed.Client`, "active" for the active client of this process, or None for the configured one, which is
        threads by default.
    store
        The store that the operation reads and writes.

    Raises
    ------
    SettingError
        `client` is something else, no client is active, or the cluster cannot access the store.
    SynchronousCallError
        The call blocks the event loop that serves the client.
    MissingDependencyError
        distributed is not installed.
    """
    requested = config.get().client if client is None else client
    # A task occupies a thread of a worker: if tasks waited for other tasks, all threads might deadlock.
    if requested is None or in_task():
        return LocalExecutor()
    executor = _on_cluster(_client(requested))
    executor.check_reaches(store)
    return executor


def _on_cluster(client: "Client") -> Executor:
    from zcollection.engine.cluster import DaskExecutor

    if portal.is_blocked(getattr(client.loop, "asyncio_loop", None)):
        message = (
            "a blocking call on the event loop that serves the client would hang; await its asynchronous counterpart"
        )
        raise SynchronousCallError(message)
    return DaskExecutor(client)


def _client(requested: Any) -> "Client":
    if requested != "active":
        library = sys.modules.get("distributed")
        if library is None or not isinstance(requested, library.Client):
            message = f"client={requested!r}; accepted: a distributed.Client, 'active', or None for threads"
            raise SettingError(message)
        return cast("Client", requested)
    try:
        from distributed import get_client
    except ImportError as error:
        raise MissingDependencyError.of("distributed", extra="dask", purpose="client='active'") from error
    try:
        return get_client()
    except ValueError as error:
        message = "client='active', but no client is active; create one: distributed.Client(…), or pass client=None"
        raise SettingError(message) from error
