"""Where a collection lies: keys and bytes, on which the kernel runs its transactions."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from attrs import frozen

from zcollection.contracts.objects import Objects, Read
from zcollection.contracts.url import StoreURL
from zcollection.errors import ReadOnlyError

if TYPE_CHECKING:
    import zarr.abc.store

_DOCUMENT: Final = "zarr.json"
_COPIED: Final = 256
"""Objects that are copied between two looks at the fence."""

Mode = Literal["r", "rw"]
Created = Literal["created", "exists", "unknown"]
Fence = Callable[[], Awaitable[None]]
"""Called before a step: raises where somebody else may have taken over, so that the step is not taken."""


async def unfenced() -> None:
    """Let every step be taken: the fence of who holds a lock."""


@frozen(kw_only=True)
class Replacement:
    """A group that is replaced or taken away, and kept elsewhere, for readers of older versions.

    Attributes
    ----------
    target
        Prefix, ending with "/", where it lies.
    kept
        Prefix, ending with "/", where it is to lie.
    staged
        Prefix, ending with "/", of the complete group that is to take its place; None where nothing is.
    spared
        Prefixes below `target` of other groups, which stay where they are.
    """

    target: str
    kept: str
    staged: str | None = None
    spared: tuple[str, ...] = ()


class Store(ABC):
    """Where a collection lies. Opened and pickled by URL and options.

    Attributes
    ----------
    cross_process
        Whether what one process writes, another one reads.
    opens_at_once
        Whether `open` waits for nothing, neither for a thread nor for an event loop: it may then be awaited without one.
    url
        Where.
    read_only
        Whether every write is refused.
    contract_versions
        The versions of this contract, of `KeyStore` and `TransactionalStore` included, that this release of zcollection
        works with.
    """

    contract_versions: ClassVar[tuple[int, ...]] = (1,)
    cross_process: ClassVar[bool] = True
    opens_at_once: ClassVar[bool] = False

    url: StoreURL
    read_only: bool

    @classmethod
    @abstractmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store at `url`; this creates nothing, not even where nothing is there yet.

        An implementation names its options as keyword-only parameters: the kernel refuses those that it lacks. One that
        takes ``**options`` refuses by name, with `PluginConfigurationError`, what it does not know.
        """

    @abstractmethod
    async def load_document(self, name: str) -> bytes | None:
        """Return a document of the collection, such as its configuration, or None where there is none."""

    def check_writable(self) -> None:
        """Raise `ReadOnlyError` unless the store was opened for writing."""
        if self.read_only:
            message = f"{self.url} is open for reading; open it with mode='rw' to write"
            raise ReadOnlyError(message)


class KeyStore(Store, Objects):
    """A store of objects: keys, with "/" between their parts, and bytes.

    The kernel's transactions run on top: they stage complete partitions under one prefix, and publish them at another.
    Every method that writes calls `check_writable` first and refuses keys that leave the root. Changes are made on an event
    loop of zcollection's own, reads on that of whoever reads: a store serves several.

    Attributes
    ----------
    has_lock
        Whether `lock` excludes other writers, and is released when its holder dies. Without it a writer puts in its place
        what it has committed while others see it alive, and they take over when they do not.
    publishes_copies
        Whether `publish` copies every object: what is new is then written where it is to lie.
    is_probed
        Whether `create` is tried before a collection is written to: the server may be one that ignores its condition. Such
        a store has an option ``single_writer``, with which it is not.
    """

    has_lock: ClassVar[bool] = False
    publishes_copies: ClassVar[bool] = False

    @property
    def is_probed(self) -> bool:
        """See the attributes."""
        return False

    @property
    def zarr(self) -> "zarr.abc.store.Store":
        """The store as zarr-python and xarray take it, for reading."""
        from zcollection.contracts.zarr_view import ZarrView  # loads zarr

        return ZarrView(self)

    async def load_document(self, name: str) -> bytes | None:
        """Return the object of this name."""
        return (await self.get([Read(name)]))[0]

    @abstractmethod
    async def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists: of any number of callers exactly one is told "created".

        "unknown" means that the answer was lost: the object may have been written.
        """

    async def flush(self, prefix: str) -> None:
        """Make durable what lies under `prefix`, where the store needs telling."""

    async def check_targets(self, prefixes: Iterable[str]) -> None:
        """Raise `StoreError` where something lies that could not be replaced, such as a symbolic link.

        Called before a change is committed, for what is easily seen; whatever is met afterwards leaves a version that is
        committed and not in its place.

        Parameters
        ----------
        prefixes
            Where something is to be published or taken away; each ends with "/".
        """
        del prefixes  # most stores have nothing but objects

    @abstractmethod
    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:
        """Put what is staged under one prefix in the place of what lies under another, whole.

        Doing it again, after it was done or was interrupted, completes it. A stage without ``zarr.json``, the document of
        its group, has been removed in part, and leaves a group that has one as it is.

        Parameters
        ----------
        staged
            Prefix, ending with "/", of a complete group; afterwards it may hold what was replaced.
        target
            Prefix, ending with "/", where it is to lie.
        fence
            Called before every step that takes a moment, where there is no lock.
        """

    async def publish_all(self, pairs: Iterable[tuple[str, str]], fence: Fence = unfenced) -> None:
        """Publish several groups: one after the other, in one call or side by side, whichever is cheapest."""
        for staged, target in pairs:
            await self.publish(staged, target, fence)

    async def publish_written(self, staged: str, target: str, names: Collection[str], fence: Fence = unfenced) -> None:
        """Publish a group of which this process has just written every object, where publishing copies.

        By default as `publish`; a store that would list what is staged need not.

        Parameters
        ----------
        staged, target, fence
            As for `publish`.
        names
            Keys of all objects of the group, without the prefix at which they are staged.
        """
        del names
        await self.publish(staged, target, fence)

    @abstractmethod
    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:
        """Take away what lies under `target`, whole, moving it under `trash` where that is cheaper than deleting.

        Doing it again completes it.
        """

    async def replace_all(self, replacements: Iterable[Replacement], fence: Fence = unfenced) -> None:
        """Publish groups, or take them away, and keep what they replace.

        Doing it again, after it was done or was interrupted, completes it. By default what is replaced is copied before,
        object by object, its document last; a store that can rename has a cheaper way.

        Parameters
        ----------
        replacements
            What is to be replaced by what.
        fence
            As for `publish`.

        Raises
        ------
        StoreError
            Some cannot be replaced.
        """
        for item in replacements:
            names = [
                entry.key.removeprefix(item.target)
                async for entry in self.list(item.target, recursive=True)
                if not entry.key.startswith(item.spared)
            ]
            await self._keep(item, names, fence)
            if item.staged is None:
                await fence()
                # What is left without its document is no group.
                await self.delete([item.target + name for name in names if name == _DOCUMENT])
                await self.delete([item.target + name for name in names if name != _DOCUMENT])
            else:
                await self.publish(item.staged, item.target, fence)

    async def _keep(self, item: Replacement, names: Sequence[str], fence: Fence) -> None:
        """Copy what is to be replaced, unless that is done."""
        document = f"{item.kept}{_DOCUMENT}"
        (done,) = await self.get([Read(document)])
        if done is not None or _DOCUMENT not in names:
            return  # what lies at the target may be what has replaced it
        others = [name for name in names if name != _DOCUMENT]
        for batch in (others[start : start + _COPIED] for start in range(0, len(others), _COPIED)):
            await fence()
            await self.copy([(item.target + name, item.kept + name) for name in batch])
        await fence()
        await self.copy([(item.target + _DOCUMENT, document)])

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Return a lock among the writers of this collection, where the store says that it has one."""
        return nullcontext()
