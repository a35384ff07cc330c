"""A cluster of two processes for tests, on the loopback, with the tests' own plugins."""

import importlib.util
import inspect
import re
from contextlib import contextmanager
from pathlib import Path

import computations
import dask
import fakes
from distributed import Client, LocalCluster, WorkerPlugin

from zcollection.registry.registry import REGISTRY

TESTS = Path(__file__).parents[1]


class Fakes(WorkerPlugin):
    """Lets workers know the fake plugins, those that are started again included."""

    def setup(self, worker):
        REGISTRY.register(fakes)
        REGISTRY.register(computations)


@contextmanager
def threads():
    """Start workers that are threads of this process, and see its memory."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def processes(number=2):
    """Start workers of one thread each."""
    settings = {"distributed.worker.multiprocessing-method": "spawn", "distributed.scheduler.allowed-failures": 5}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=number, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1", silence_logs=50
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(Fakes())
        yield client


INSIDE = re.compile(r"store\.data\b|seen\.append")
"""What tests look into that other processes do not share: the dictionary of a store, and lists of their own."""


FIXTURES = {"collection", "base", "view"}
"""What test modules call the fixtures of their own that others need as well."""


def again(name, *, inside=False, without=()):
    """Return the tests and fixtures of another test module; those that look inside of one process only where wanted."""
    spec = importlib.util.spec_from_file_location(f"again_{Path(name).stem}", TESTS / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = [item for item in vars(module) if item.startswith("test_") or item in FIXTURES]
    unknown = set(without) - set(names)
    assert not unknown, f"{name} has no {unknown}"
    kept = [
        item
        for item in names
        if inside or item in FIXTURES or not INSIDE.search(inspect.getsource(getattr(module, item)))
    ]
    return {item: getattr(module, item) for item in kept if item not in without}
