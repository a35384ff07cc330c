"""What a change is written to and what it is made from as one: a view and its base, or the new and the old of one store."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Self

from attrs import Factory, evolve, field, frozen

from zcollection.contracts.objects import Blocking, Listed, Objects, Read
from zcollection.engine.jobs import Site
from zcollection.transaction.change import Stage

BASE: Final = "@base/"
"""What the keys of the base's objects begin with; no key of others does."""


def _apart(reads: Sequence[Read]) -> tuple[list[Read], list[Read]]:
    """Return the reads of what is written to, and those of the base, under its own keys."""
    own = [read for read in reads if not read.key.startswith(BASE)]
    base = [evolve(read, key=read.key.removeprefix(BASE)) for read in reads if read.key.startswith(BASE)]
    return own, base


def _together(reads: Sequence[Read], own: list[bytes | None], base: list[bytes | None]) -> list[bytes | None]:
    ours, theirs = iter(own), iter(base)
    return [next(theirs if read.key.startswith(BASE) else ours) for read in reads]


@frozen
class Overlay(Objects):
    """Reads of two stores, and writes to one of them.

    Attributes
    ----------
    own
        What is written to.
    base
        What is only read.
    """

    own: Objects
    base: Objects

    @property
    def blocking(self) -> "BlockingOverlay | None":
        """Blocking access, where both have it."""
        own, base = self.own.blocking, self.base.blocking
        return None if own is None or base is None else BlockingOverlay(own, base)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, whichever store it is of."""
        own, base = _apart(reads)
        return _together(reads, await self.own.get(own) if own else [], await self.base.get(base) if base else [])

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects."""
        await self.own.put(items)

    async def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new objects."""
        await self.own.stage(items)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List what lies under a prefix of what is written to."""
        async for entry in self.own.list(prefix, after=after, recursive=recursive):
            yield entry

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects within what is written to."""
        await self.own.copy(pairs)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects of what is written to."""
        await self.own.delete(keys)


@frozen
class BlockingOverlay(Blocking):
    """The same, for worker threads."""

    own: Blocking
    base: Blocking

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, whichever store it is of."""
        own, base = _apart(reads)
        return _together(reads, self.own.get(own) if own else [], self.base.get(base) if base else [])

    def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new objects."""
        self.own.stage(items)

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects within what is written to."""
        self.own.copy(pairs)

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield what lies under a prefix of what is written to."""
        return self.own.list(prefix, after=after, recursive=recursive)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects of what is written to."""
        self.own.delete(keys)


@frozen(kw_only=True)
class OverlaidStage(Site):
    """Where partitions are written before they are committed, with a base to read from.

    Attributes
    ----------
    stage
        Where they are written.
    base
        What the base is read from.
    objects
        Both.
    """

    stage: Stage
    base: Objects
    objects: Objects = field(
        init=False, default=Factory(lambda self: Overlay(self.stage.objects, self.base), takes_self=True)
    )

    @property
    def can_travel(self) -> bool:
        """Whether other processes can work here."""
        return self.stage.can_travel

    def for_workers(self) -> Self:
        """Return what other processes can work on."""
        return evolve(self, stage=self.stage.for_workers())

    def attempt(self) -> Self:
        """Return what one attempt at some jobs works on."""
        return evolve(self, stage=self.stage.attempt())

    def outcome(self) -> Any:
        """Return what a process that worked apart must hand back."""
        return self.stage.outcome()

    async def absorb(self, outcomes: Iterable[Any]) -> None:
        """Take over what processes that worked apart have written."""
        await self.stage.absorb(outcomes)
