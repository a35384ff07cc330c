"""Where a collection lies: keys and bytes, on which the kernel runs its transactions."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, Self

from attrs import Factory, field, frozen

from zcollection.contracts.url import StoreURL
from zcollection.errors import ReadOnlyError
from zcollection.model.documents import LARGEST_DOCUMENT

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


@frozen
class Read:
    """A read of one object, or of a range of its bytes.

    Attributes
    ----------
    key
        The object.
    offset
        First byte.
    length
        Number of bytes; None reads to the end.
    most
        Number of bytes after which a store stops, for nobody believes that the object may have so many: one that is
        damaged may be of any size. By default that of a document, and None for the chunk of an array.
    """

    key: str
    offset: int = field(default=0, kw_only=True)
    length: int | None = field(default=None, kw_only=True)
    most: int | None = field(default=Factory(lambda self: _most(self.key), takes_self=True), kw_only=True)

    @property
    def limit(self) -> int | None:
        """Number of bytes that are read at most, however large the object is."""
        length, most = self.length, self.most
        if length is None or most is None:
            return most if length is None else length
        return min(length, most)

    def part(self, data: bytes | None) -> bytes | None:
        """Return what is read of an object with these bytes; None where there is no object.

        Examples
        --------
        >>> Read("time/c/0", offset=1, length=2).part(b"abcd")
        b'bc'
        """
        if data is None:
            return None
        limit = self.limit
        return data[self.offset : None if limit is None else self.offset + limit]


def _most(key: str) -> int | None:
    return None if "/c/" in key or key.endswith("/c") else LARGEST_DOCUMENT + 1


@frozen(kw_only=True)
class Listed:
    """An entry of a listing.

    Attributes
    ----------
    key
        The object's key; a common prefix, in a listing that is not recursive, ends with "/".
    size
        Bytes; 0 for a prefix.
    modified
        Time of the last change in seconds since 1970-01-01 UTC, by the store's own clock; None for a prefix.
    etag
        What changes whenever the object does, where the store has it.
    """

    key: str
    size: int = 0
    modified: float | None = None
    etag: str | None = None

    @property
    def is_prefix(self) -> bool:
        """Whether this is a common prefix rather than an object."""
        return self.key.endswith("/")


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


@frozen(eq=False)
class Pieces:
    """The bytes of one object in pieces that nobody has copied together: a chunk, and its checksum.

    Attributes
    ----------
    parts
        They themselves, in order.
    """

    parts: tuple[bytes, ...] = field(repr=False)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


class Blocking(Protocol):
    """Plain, blocking access: a local file is read where it is decoded.

    Each method is that of `KeyStore`, for any thread: a worker's, or that of a blocking caller, which no event loop knows of.
    One that has an attribute ``takes_pieces`` that is true is given `Pieces` to stage where an object is large.
    """

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""

    def stage(self, items: Mapping[str, bytes]) -> None:
        """Write objects that nobody reads before they are published."""

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects, each from its first key to its second."""

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield what lies under a prefix, sorted by key."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, and all below keys that end with "/"."""


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
    """

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


class Objects(ABC):
    """Keys, with "/" between their parts, and bytes: what is read, decoded, encoded and written, wherever it lies.

    Attributes
    ----------
    has_listing
        Whether `list` lists what is there. A store that only reads may lack it, such as one of a web server: then versions are
        asked for one after the other, and partitions are those that the catalog and the log name.
    """

    has_listing: ClassVar[bool] = True

    @property
    def blocking(self) -> Blocking | None:
        """Blocking access, or None where access is naturally asynchronous."""
        return None

    @abstractmethod
    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""

    @abstractmethod
    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, in place of any that exist; nobody ever sees part of one."""

    async def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new objects that nobody reads before they are published: they need not appear whole."""
        await self.put(items)

    @abstractmethod
    def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List what lies under `prefix` ("" or ending with "/"), sorted by key.

        Parameters
        ----------
        prefix
            Where to look; a prefix under which nothing lies lists as empty.
        after
            List only keys greater than this one.
        recursive
            List every object below; else objects directly below, and common prefixes.
        """

    @abstractmethod
    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects, each from its first key to its second, sharing the bytes where the store can.

        Raises
        ------
        StoreError
            A source does not exist.
        """

    @abstractmethod
    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that do not exist are passed over. A key ending with "/" deletes all below it."""


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
