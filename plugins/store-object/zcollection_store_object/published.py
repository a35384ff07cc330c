"""Read-only stores: the objects are written by other means."""

from collections.abc import AsyncIterator
from typing import ClassVar, Protocol, Self

from attrs import frozen

from zcollection.plugin import Listed, Mode, ReadOnlyError, StoreError, check_prefixes
from zcollection_store_object.objects import ObjectStore
from zcollection_store_object.retries import Retries


class PublishedOptions(Protocol):
    """The options that every read-only store has.

    Attributes
    ----------
    max_retries
        The largest number of retries after a temporary failure.
    """

    @property
    def max_retries(self) -> int: ...  # noqa: D102


@frozen(kw_only=True)
class PublishedStore(ObjectStore):
    """Objects that can only be read; a subclass defines how they are read, and whether they can be listed.

    Attributes
    ----------
    url
        The URL of the collection.
    read_only
        True.
    options
        The options that the caller passed; a pickle contains nothing else.
    access
        How the objects are read, for messages, such as "over HTTP".
    """

    access: ClassVar[str]

    options: PublishedOptions

    def in_mode(self, mode: Mode) -> Self:
        """Return this store if the mode is "r".

        Raises
        ------
        ReadOnlyError
            The mode is not "r".
        """
        if mode != "r":
            self.check_writable()
        return self

    @property
    def retries(self) -> Retries:
        """The retries of requests."""
        return Retries(self.options.max_retries)

    def check_writable(self) -> None:
        """Raise `ReadOnlyError`."""
        message = f"{self.url} can only be read {self.access}; accepted: mode='r'; write to the original location of its files"
        raise ReadOnlyError(message)

    def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List objects; if the store has no reliable listing, the iterator raises `StoreError`."""
        if self.has_listing:
            return super().list(prefix, after=after, recursive=recursive)
        return self._unlisted(prefix)

    async def _unlisted(self, prefix: str) -> AsyncIterator[Listed]:
        if prefix:
            check_prefixes(self.url, prefix)
        message = f"the objects under {prefix!r} in {self.url} cannot be listed {self.access}; list them at their original location"
        raise StoreError(message)
        yield  # makes this function a generator
