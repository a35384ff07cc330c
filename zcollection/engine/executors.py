"""Which executor runs an operation, decided in this one place."""

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
"""Where an operation runs: on a cluster of dask's, on that of the client that is active, or as the configuration says."""


def chosen(client: object, store: Store) -> Executor:
    """Return the executor for an operation.

    Parameters
    ----------
    client
        A `distributed.Client`, "active" for the one of this process, or None for what the configuration says; and where
        that says nothing, threads.
    store
        What the operation works on.

    Raises
    ------
    SettingError
        It is something else, no client is active, or the cluster cannot see the store.
    SynchronousCallError
        The caller blocks the event loop that serves the client.
    MissingDependencyError
        distributed is not installed.
    """
    wanted = config.get().client if client is None else client
    # A task holds a thread of a worker: if it waited for other tasks, all threads might wait, for ever.
    if wanted is None or in_task():
        return LocalExecutor()
    executor = _on_cluster(_client(wanted))
    executor.check_reaches(store)
    return executor


def _on_cluster(client: "Client") -> Executor:
    from zcollection.engine.cluster import DaskExecutor

    if portal.is_blocked(getattr(client.loop, "asyncio_loop", None)):
        message = "a blocking call was made on the event loop that serves the client, and would hang; await its asynchronous twin"
        raise SynchronousCallError(message)
    return DaskExecutor(client)


def _client(wanted: Any) -> "Client":
    if wanted != "active":
        library = sys.modules.get("distributed")
        if library is None or not isinstance(wanted, library.Client):
            message = f"client={wanted!r}; accepted: a distributed.Client, 'active', or None for threads"
            raise SettingError(message)
        return cast("Client", wanted)
    try:
        from distributed import get_client
    except ImportError as error:
        raise MissingDependencyError.of("distributed", extra="dask", purpose="client='active'") from error
    try:
        return get_client()
    except ValueError as error:
        message = "client='active', and no client is active; make one: distributed.Client(…), or pass client=None"
        raise SettingError(message) from error
