"""Settings: environment variables set them for a process, `using` overrides them in a ``with`` block.

An override of `using` is local to the context (thread or task) that makes it. A call that runs on the background event
loop and its worker threads keeps the overrides of its caller.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from attrs import Attribute, evolve, field, frozen

from zcollection.errors import SettingError


def _check(_: object, attribute: "Attribute[Any]", value: object) -> None:
    """Reject a value that is not an integer of at least 1 or, for a duration, a number above zero."""
    is_duration = attribute.name == "lease"
    kinds = int | float if is_duration else int
    if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
        accepted = "a number of seconds above zero" if is_duration else "a whole number of at least 1"
        message = f"{attribute.name}={value!r}; accepted: {accepted}"
        raise SettingError(message)


@frozen(kw_only=True)
class Config:
    """The settings of zcollection.

    Attributes
    ----------
    concurrency
        Number of concurrent requests to a remote store, and of partitions in memory at once during `insert`, `update` and
        `map`. Environment variable ``ZCOLLECTION_CONCURRENCY``.
    threads
        Number of threads that encode, decode, read and write. Environment variable ``ZCOLLECTION_THREADS``.
    lease
        Duration of a writer's lease in seconds, on a store without a lock. A writer that does not renew its lease for this
        long is considered dead. All writers of a collection must use the same value. Environment variable
        ``ZCOLLECTION_LEASE``.
    client
        Dask cluster whose workers process partitions: a `distributed.Client`, "active" for the active client, or None for
        threads of this process. Environment variable ``ZCOLLECTION_CLIENT``, which may be "active".
    """

    concurrency: int = field(validator=_check)
    threads: int = field(validator=_check)
    lease: float = field(default=60.0, validator=_check)
    client: Any = field(default=None, repr=False)


def _from_environment() -> Config:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Config(
        concurrency=_integer("ZCOLLECTION_CONCURRENCY", 64),
        threads=_integer("ZCOLLECTION_THREADS", processors),
        lease=float(_integer("ZCOLLECTION_LEASE", 60)),
        client=_client(),
    )


def _client() -> str | None:
    text = os.environ.get("ZCOLLECTION_CLIENT", "")
    if text not in {"", "active"}:
        message = f"environment variable ZCOLLECTION_CLIENT={text!r}; accepted: 'active', or nothing"
        raise SettingError(message)
    return text or None


def _integer(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        message = f"environment variable {variable}={text!r} is not a whole number of at least 1"
        raise SettingError(message)
    return int(text)


_overrides: ContextVar[Config | None] = ContextVar("zcollection.config", default=None)


def get() -> Config:
    """Return the current configuration: the override of this context, or the settings of the environment.

    Examples
    --------
    >>> with using(threads=1):
    ...     get().threads
    1
    """
    return _overrides.get() or _from_environment()


@contextmanager
def using(
    *,
    concurrency: int | None = None,
    threads: int | None = None,
    lease: float | None = None,
    client: object = None,
) -> Iterator[Config]:
    """Override the configuration inside a ``with`` block.

    Parameters
    ----------
    concurrency, threads, lease, client
        See `Config`; None keeps the current value.

    Raises
    ------
    SettingError
        A value is out of range.
    """
    values: dict[str, Any] = {"concurrency": concurrency, "threads": threads, "lease": lease, "client": client}
    config = evolve(get(), **{name: value for name, value in values.items() if value is not None})
    token = _overrides.set(config)
    try:
        yield config
    finally:
        _overrides.reset(token)
