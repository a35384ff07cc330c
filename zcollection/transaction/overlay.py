"""Two stores combined: one to write to, one only to read from, such as a view and its base."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Self

from attrs import Factory, evolve, field, frozen

from zcollection.contracts.objects import Blocking, Listed, Objects, Read
from zcollection.engine.jobs import Site
from zcollection.transaction.change import Stage

BASE: Final = "@base/"
"""Prefix of the keys of the base's objects; no key of the other store begins with it."""


def _apart(reads: Sequence[Read]) -> tuple[list[Read], list[Read]]:
    """Return the reads of the store that is written to, and the reads of the base with the prefix removed."""
    own = [read for read in reads if not read.key.startswith(BASE)]
    base = [evolve(read, key=read.key.removeprefix(BASE)) for read in reads if read.key.startswith(BASE)]
    return own, base


def _together(reads: Sequence[Read], own: list[bytes | None], base: list[bytes | None]) -> list[bytes | None]:
    from_own, from_base = iter(own), iter(base)
    return [next(from_base if read.key.startswith(BASE) else from_own) for read in reads]


@frozen
class Overlay(Objects):
    """The objects of two stores, of which one is writable.

    Attributes
    ----------
    own
        The objects that are read and written.
    base
        The objects that are only read, under keys that begin with `BASE`.
    """

    own: Objects
    base: Objects

    @property
    def blocking(self) -> "BlockingOverlay | None":
        """Blocking access, if both stores have it."""
        own, base = self.own.blocking, self.base.blocking
        return None if own is None or base is None else BlockingOverlay(own, base)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, from either store."""
        own, base = _apart(reads)
        return _together(reads, await self.own.get(own) if own else [], await self.base.get(base) if base else [])

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects."""
        await self.own.put(items)

    async def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new objects."""
        await self.own.stage(items)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List the objects under a prefix of the writable store."""
        async for entry in self.own.list(prefix, after=after, recursive=recursive):
            yield entry

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects within the writable store."""
        await self.own.copy(pairs)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects of the writable store."""
        await self.own.delete(keys)


@frozen
class BlockingOverlay(Blocking):
    """Blocking access to the objects of two stores, for worker threads."""

    own: Blocking
    base: Blocking

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, from either store."""
        own, base = _apart(reads)
        return _together(reads, self.own.get(own) if own else [], self.base.get(base) if base else [])

    def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new objects."""
        self.own.stage(items)

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects within the writable store."""
        self.own.copy(pairs)

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield the objects under a prefix of the writable store."""
        return self.own.list(prefix, after=after, recursive=recursive)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects of the writable store."""
        self.own.delete(keys)


@frozen(kw_only=True)
class OverlaidStage(Site):
    """A staging area together with the objects of a base to read from.

    Attributes
    ----------
    stage
        The staging area to which partitions are written.
    base
        The objects of the base.
    objects
        The objects of both, as an overlay.
    """

    stage: Stage
    base: Objects
    objects: Objects = field(
        init=False, default=Factory(lambda self: Overlay(self.stage.objects, self.base), takes_self=True)
    )

    @property
    def supports_workers(self) -> bool:
        """Whether other processes can write to the staging area."""
        return self.stage.supports_workers

    def for_workers(self) -> Self:
        """Return the site on which other processes work."""
        return evolve(self, stage=self.stage.for_workers())

    def attempt(self) -> Self:
        """Return the site on which one attempt at some jobs works."""
        return evolve(self, stage=self.stage.attempt())

    def outcome(self) -> Any:
        """Return the value that another process must send back to the process that commits."""
        return self.stage.outcome()

    async def absorb(self, outcomes: Iterable[Any]) -> None:
        """Take over what other processes have written."""
        await self.stage.absorb(outcomes)
