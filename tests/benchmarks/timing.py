"""Rounds: in each, every peer does every operation once, the order of the peers rotating."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from attrs import define, field
from operations import Operation
from peers.base import Peer, UnsupportedError
from storages import FILES, Storage, Usage
from workloads import Workload


@define
class Timed:
    """What one peer took for one operation.

    Attributes
    ----------
    variant, operation, peer
        Which.
    seconds, cpu_seconds
        Of each round: passed, and used by all threads of the process.
    partitions
        Of what it was done with.
    requests
        Of each round, by kind; empty where the storage knows none.
    received
        Bytes of the answers to them, of each round; empty where the storage does not count them.
    counts
        What the operation counts, once and apart from what is timed.
    checked
        Whether the result of the first round was found right.
    unsupported
        Whether the peer has no such operation.
    failure
        Why the peer was given up.
    usage
        What an insert left behind; None of other operations.
    """

    variant: str
    operation: str
    peer: str
    seconds: list[float] = field(factory=list)
    cpu_seconds: list[float] = field(factory=list)
    partitions: int = 0
    requests: list[Mapping[str, int]] = field(factory=list)
    received: list[int] = field(factory=list)
    counts: Mapping[str, int] = field(factory=dict)
    checked: bool = False
    unsupported: bool = False
    failure: str = ""
    usage: Usage | None = None

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def minimum(self) -> float:
        return min(self.seconds)

    @property
    def median_requests(self) -> float:
        return median(sum(kinds.values()) for kinds in self.requests)

    @property
    def least_requests(self) -> int:
        return min(sum(kinds.values()) for kinds in self.requests)

    @property
    def usable(self) -> bool:
        return bool(self.seconds) and not self.failure


def run(
    workload: Workload,
    peers: dict[str, Peer],
    place: Path,
    *,
    rounds: int,
    tell: Callable[[str], None],
    storage: Storage = FILES,
) -> list[Timed]:
    """Time a workload.

    Parameters
    ----------
    workload
        What to do.
    peers
        Who does it, by name.
    place
        Where.
    rounds
        How often; the first checks every result.
    tell
        Called with a line of progress.
    storage
        What the place is part of; peers that know only files have no part in another one.
    """
    cases = [(variant.label, operation) for variant in workload.variants for operation in variant.operations]
    present = {name: peer.on(storage) for name, peer in peers.items() if storage is FILES or not peer.only_files}
    absent = peers.keys() - present.keys()
    results = [
        [
            Timed(label, operation.name, name, partitions=len(operation.layout.counts), unsupported=name in absent)
            for name in peers
        ]
        for label, operation in cases
    ]
    gc.freeze()  # what the libraries made of themselves is not looked through before every operation
    for number in range(rounds):
        tell(f"{workload.name}: round {number + 1} of {rounds}")
        for position, (label, operation) in enumerate(cases):
            for timed in _rotated(results[position], number):
                if not (timed.failure or timed.unsupported):
                    folder = _folder(place, label, operation, timed.peer, position, number)
                    storage.make(folder)
                    _attempt(operation, present[timed.peer], folder, number, timed, results)
        # Every peer writes slower, by half, where 100,000 files of earlier rounds lie in the same memory.
        storage.clear(place / f"round-{number}")
    return [timed for of_case in results for timed in of_case]


def _rotated(items: Sequence[Timed], by: int) -> list[Timed]:
    start = by % len(items)
    return [*items[start:], *items[:start]]


def _folder(place: Path, label: str, operation: Operation, peer: str, position: int, number: int) -> Path:
    name = operation.shares or f"operation-{position}"
    parent = place / ("all-rounds" if operation.lasting else f"round-{number}")
    return parent / f"{label}-{name}-{peer}".replace(" ", "-")


def _attempt(
    operation: Operation, peer: Peer, folder: Path, number: int, timed: Timed, results: list[list[Timed]]
) -> None:
    try:
        _measure(operation, peer, folder, number, timed)
    except UnsupportedError:
        timed.unsupported = True
    except Exception as error:  # noqa: BLE001 - one peer's failure is reported, and costs the others nothing
        timed.failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if operation.writes and (timed.failure or timed.unsupported):
        _give_up(timed, results)


def _give_up(writer: Timed, results: list[list[Timed]]) -> None:
    """Spare a peer that could not write what other operations would read."""
    for timed in (timed for of_case in results for timed in of_case):
        if (timed.variant, timed.peer) == (writer.variant, writer.peer) and timed is not writer:
            timed.unsupported = writer.unsupported
            timed.failure = writer.failure and f"after {writer.operation}: {writer.failure}"


def _measure(operation: Operation, peer: Peer, folder: Path, number: int, timed: Timed) -> None:
    operation.prepare(peer, folder, number)
    peer.storage.requests()
    peer.storage.received()
    gc.collect()  # nobody pays for another's garbage
    started, cpu_started = time.perf_counter(), time.process_time()
    result = operation.run(peer, folder, number)
    timed.seconds.append(time.perf_counter() - started)
    timed.cpu_seconds.append(time.process_time() - cpu_started)
    timed.requests.append(peer.storage.requests())
    if (received := peer.storage.received()) is not None:
        timed.received.append(received)
    if number == 0:
        if operation.writes:
            timed.usage = peer.storage.usage(folder)
        operation.check(peer, folder, number, result)
        timed.checked = True
        timed.counts = operation.count(peer, folder)
