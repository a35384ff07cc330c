"""Operations whose process dies before or after one changing request after the other: ``python tests/faults/deaths.py``.

On object storage in memory (``--server memory``) every step is met. On ministack a process of its own is killed while the
proxy before the server holds its request, or its answer; what else it has sent by then has its effect. Afterwards plain
zarr finds no partition that is not whole, and what is asked is what `crashes.py` asks of files: a reader sees all of the
operation or nothing, before anything was repaired; the next writer succeeds and changes nothing else; a repair leaves
nothing to report; and plain zarr reads the same.
"""

import argparse
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import anyio
import judging
import operations
import running
import traced
from attrs import define, field, frozen

import zcollection as zc
from zcollection.plugin import KeyStore, StoreURL
from zcollection.registry.registry import REGISTRY
from zcollection.testing.servers import Server, running_ministack
from zcollection.transaction.log import leases

sys.path.append(str(running.HERE.parent / "support"))
from bucket import BucketStore, DiedError, Power
from clocks import Clock
from fault_proxy import Fault, RunningProxy, running_proxy

CHANGES = frozenset({"PUT", "CREATE", "COPY", "DELETE"})
NEVER = 10**9


class Bench(Protocol):
    """Where operations die."""

    def store(self) -> KeyStore:
        """Return a store of a place where nothing lies."""

    def run(self, store: KeyStore, name: str, steps: int) -> int:
        """Let an operation die after so many steps, two for each changing request; return how many it has taken."""


@define
class Memory:
    """A bucket in memory, and processes that are played."""

    _numbers: Iterator[int] = field(factory=count)

    def store(self):
        return anyio.run(lambda: BucketStore.open(StoreURL.parse(f"bucket://{next(self._numbers)}"), mode="rw"))

    def run(self, store, name, steps):
        power = Power(steps)
        try:
            operations.act(zc.open_collection(store.with_watch(power), mode="rw"), name)
        except DiedError:
            return steps
        return steps - power.left


@define(eq=False)
class AtChange(Fault):
    """A fault of requests that change something."""

    def takes(self, request):
        return request.kind in CHANGES and super().takes(request)


@frozen
class Killing:
    """A server, and a process for each operation, killed by the proxy's leave."""

    server: Server
    proxy: RunningProxy
    nursery: traced.Nursery
    _numbers: Iterator[int] = field(factory=count)

    def store(self):
        from zcollection_store_s3.store import S3Store

        url = StoreURL.parse(f"s3://bucket/place-{next(self._numbers)}")
        return anyio.run(lambda: S3Store.open(url, mode="rw", **self.server.storage_options))

    def run(self, store, name, steps):
        self.proxy.forget()
        number, answered = divmod(steps, 2)
        with self.proxy.failing(AtChange("freeze-answer" if answered else "freeze-drop", skip=number)) as (fault,):
            pid = self.nursery.begin(str(store.url), name, options=self.proxy.storage_options)
            while not fault.reached.wait(0.005) and _lives(pid):
                pass
            if fault.reached.is_set():
                os.kill(pid, signal.SIGKILL)
            code = self.nursery.end()
        while self.proxy.proxy.connections:  # what was sent before has its effect, and nothing later
            time.sleep(0.001)
        if code != (-signal.SIGKILL if fault.reached.is_set() else 0):
            message = f"{name} ended with {code} without having been killed"
            raise RuntimeError(message)
        return 2 * sum(self.proxy.counts[kind] for kind in CHANGES)


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@contextmanager
def memory(work: Path) -> Iterator[Bench]:
    REGISTRY.register(BucketStore, name="bucket")
    yield Memory()


@contextmanager
def ministack(work: Path) -> Iterator[Bench]:
    with (
        traced.Nursery() as nursery,
        running_ministack(work / "log") as server,
        running_proxy(server) as proxy,
    ):
        server.create_bucket("bucket")
        yield Killing(server, proxy, nursery)


SERVERS: dict[str, Callable[[Path], object]] = {"memory": memory, "ministack": ministack}


def filled(bench: Bench, objects: dict[str, bytes]) -> KeyStore:
    """Return a store that holds objects."""
    store = bench.store()
    anyio.run(store.put, objects)
    return store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=SERVERS, default="memory")
    parser.add_argument("--operations", nargs="+", choices=operations.OPERATIONS, default=list(operations.OPERATIONS))
    parser.add_argument("--every", type=int, default=1, help="only every n-th step")
    parser.add_argument("--no-catalog", dest="catalog", action="store_false", help="without a catalog")
    options = parser.parse_args()
    leases.CLOCK = Clock()  # nobody waits here for who is known to be dead
    points, seen, violations = Counter(), Counter(), []
    with running.working_directory() as work, SERVERS[options.server](work) as bench:
        base = bench.store()
        operations.base(base, catalog_enabled=options.catalog)
        objects = anyio.run(judging.objects, base)
        for name in options.operations:
            start = filled(bench, objects)
            operations.PREPARATIONS.get(name, lambda _: None)(start)
            prepared, whole = anyio.run(judging.objects, start), filled(bench, anyio.run(judging.objects, start))
            before, steps, after = judging.state(start), bench.run(whole, name, NEVER), judging.state(whole)
            versions = judging.kept(start, whole)
            partitions = [judging.plain_partitions(store) for store in (start, whole)]
            for number in range(0, steps, options.every):
                store = filled(bench, prepared)
                bench.run(store, name, number)
                try:
                    seen["after" if judging.state(store) == after else "before"] += before != after
                    repaired_first = bool(points.total() % 2)
                    wrong = judging.torn(store, *partitions) or judging.check(
                        store, before, after, code=1, fault="kill", repaired_first=repaired_first, versions=versions
                    )
                except zc.errors.ZCollectionError as error:
                    wrong = repr(error)
                points[name] += 1
                if wrong:
                    violations.append(f"{name}, died after {number} steps of {steps}: {wrong}")
                    print(violations[-1], file=sys.stderr)
    figures = {"points": points.total(), "of each": points, "seen": seen, "violations": violations}
    running.finish(figures, faults=len(violations))


if __name__ == "__main__":
    main()
