"""The contracts of stores: objects (keys with bytes) on which the kernel runs its transactions."""

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
"""Number of objects that are copied between two calls of the fence."""

Mode = Literal["r", "rw"]
Created = Literal["created", "exists", "unknown"]
Fence = Callable[[], Awaitable[None]]
"""Function to await before each step of a change; it raises if another writer may have taken over, to prevent the step."""


async def unfenced() -> None:
    """Allow every step: the fence of a writer that holds a lock."""


@frozen(kw_only=True)
class Replacement:
    """The replacement or removal of a group, which is kept under another prefix for readers of older versions.

    All prefixes end with "/".

    Attributes
    ----------
    target
        Prefix of the group to replace or remove.
    kept
        Prefix under which the old group is kept.
    staged
        Prefix of the complete new group; None to remove the group.
    spared
        Prefixes under `target` that belong to other groups, which are not changed.
    """

    target: str
    kept: str
    staged: str | None = None
    spared: tuple[str, ...] = ()


class Store(ABC):
    """Storage of one collection. A store is opened and pickled by its URL and options.

    Attributes
    ----------
    cross_process
        Whether a process can read what another process wrote.
    opens_at_once
        Whether `open` never waits for a thread or an event loop, so that it can be awaited without a running loop.
    url
        URL of the collection.
    read_only
        Whether every write is rejected.
    contract_versions
        The versions of this contract, including `KeyStore` and `TransactionalStore`, that this release of zcollection
        accepts.
    """

    contract_versions: ClassVar[tuple[int, ...]] = (1,)
    cross_process: ClassVar[bool] = True
    opens_at_once: ClassVar[bool] = False

    url: StoreURL
    read_only: bool

    @classmethod
    @abstractmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store at `url`, without creating anything in it.

        An implementation declares its options as keyword-only parameters; the kernel rejects all other options. An
        implementation that takes ``**options`` raises `PluginConfigurationError` with the name of an unknown option.
        """

    @abstractmethod
    async def load_document(self, name: str) -> bytes | None:
        """Return a document of the collection, such as its configuration, or None if it does not exist."""

    def check_writable(self) -> None:
        """Raise `ReadOnlyError` unless the store was opened for writing."""
        if self.read_only:
            message = f"{self.url} is open for reading; open it with mode='rw' to write"
            raise ReadOnlyError(message)


class KeyStore(Store, Objects):
    """A key-value store: objects, each with a key (names joined by "/") and bytes.

    The transactions of the kernel run on top of it: they stage complete partitions under one prefix, and publish them
    under another. Every method that writes first calls `check_writable`, and rejects keys outside the root. Writes run on
    an event loop of the kernel, reads on the event loop of the caller: a store has to work with several event loops.

    Attributes
    ----------
    has_lock
        Whether `lock` excludes other writers, and is released when its holder dies. Without a lock, a writer publishes its
        commit under a lease that it renews; if the lease expires, another writer takes over.
    publishes_copies
        Whether `publish` copies every object. The kernel then writes new objects directly to their final keys.
    is_probed
        Whether the kernel tests `create` before it writes to a collection, because the server may ignore the condition of a
        conditional write. Such a store has an option ``single_writer``, which disables the test.
    """

    has_lock: ClassVar[bool] = False
    publishes_copies: ClassVar[bool] = False

    @property
    def is_probed(self) -> bool:
        """Whether the kernel tests `create` before it writes to a collection."""
        return False

    @property
    def zarr(self) -> "zarr.abc.store.Store":
        """A read-only Zarr store over this store, for zarr-python and xarray."""
        from zcollection.contracts.zarr_view import ZarrView  # imports zarr

        return ZarrView(self)

    async def load_document(self, name: str) -> bytes | None:
        """Return the bytes of the object whose key is `name`, or None if it does not exist."""
        return (await self.get([Read(name)]))[0]

    @abstractmethod
    async def create(self, key: str, data: bytes) -> Created:
        """Write an object atomically unless its key exists.

        Exactly one of several concurrent callers gets "created"; the others get "exists". "unknown" means that the
        response was lost: the object may have been written.
        """

    async def flush(self, prefix: str) -> None:
        """Make all objects under `prefix` durable, if the store does not do so with each write."""

    async def check_targets(self, prefixes: Iterable[str]) -> None:
        """Check that the objects under these prefixes can be replaced, and are not, for instance, symbolic links.

        The kernel calls this before it commits a change. An obstacle that is found only after the commit leaves a version
        that is committed but not published.

        Parameters
        ----------
        prefixes
            Prefixes, each ending with "/", under which the change publishes or removes objects.

        Raises
        ------
        StoreError
            Something under a prefix cannot be replaced.
        """
        del prefixes  # most stores contain only objects

    @abstractmethod
    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:
        """Replace the group under the prefix `target` with the group staged under another prefix.

        The operation is idempotent: a repetition completes an interrupted publication, and does not change a completed one.
        A staged group without its document ``zarr.json`` was already published and then partly removed; it does not
        replace a group that has this document.

        Parameters
        ----------
        staged
            Prefix, ending with "/", of a complete group. Afterwards it may contain the replaced group.
        target
            Prefix, ending with "/", under which the group is published.
        fence
            Function to await before every step that takes time, for stores without a lock.
        """

    async def publish_all(self, pairs: Iterable[tuple[str, str]], fence: Fence = unfenced) -> None:
        """Publish several groups, given as pairs of staged prefix and target prefix; by default one after the other."""
        for staged, target in pairs:
            await self.publish(staged, target, fence)

    async def publish_written(self, staged: str, target: str, names: Collection[str], fence: Fence = unfenced) -> None:
        """Publish a group whose objects were all written by this process, on a store whose `publish` copies.

        The default calls `publish`. A store that lists the staged objects can use `names` instead.

        Parameters
        ----------
        staged, target, fence
            As for `publish`.
        names
            Keys of all objects of the group, relative to the prefix `staged`.
        """
        del names
        await self.publish(staged, target, fence)

    @abstractmethod
    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:
        """Remove the group under the prefix `target`, or move it under `trash` if that is cheaper.

        The operation is idempotent: a repetition completes an interrupted removal.
        """

    async def replace_all(self, replacements: Iterable[Replacement], fence: Fence = unfenced) -> None:
        """Publish or remove groups, and keep the groups that they replace.

        The operation is idempotent: a repetition completes an interrupted one. By default, a group is copied object by
        object, its document last, before it is replaced. A store that can rename overrides this method.

        Parameters
        ----------
        replacements
            The groups to replace or remove.
        fence
            Function to await before every step that takes time, for stores without a lock.

        Raises
        ------
        StoreError
            A group cannot be replaced.
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
                # The document first: without it, the remaining objects are not a group.
                await self.delete([item.target + name for name in names if name == _DOCUMENT])
                await self.delete([item.target + name for name in names if name != _DOCUMENT])
            else:
                await self.publish(item.staged, item.target, fence)

    async def _keep(self, item: Replacement, names: Sequence[str], fence: Fence) -> None:
        """Copy the group that will be replaced, unless that is already done."""
        document = f"{item.kept}{_DOCUMENT}"
        (done,) = await self.get([Read(document)])
        if done is not None or _DOCUMENT not in names:
            return  # the group under the target may already be the new one
        remaining = [name for name in names if name != _DOCUMENT]
        for batch in (remaining[start : start + _COPIED] for start in range(0, len(remaining), _COPIED)):
            await fence()
            await self.copy([(item.target + name, item.kept + name) for name in batch])
        await fence()
        await self.copy([(item.target + _DOCUMENT, document)])

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Return a lock that excludes the other writers of this collection; it does nothing unless `has_lock` is true."""
        return nullcontext()
