"""Objects that are only read: somebody else puts them in their place, by other means."""

from collections.abc import AsyncIterator
from typing import ClassVar, Protocol, Self

from attrs import frozen

from zcollection.plugin import Listed, Mode, ReadOnlyError, StoreError, check_prefixes
from zcollection_store_object.objects import ObjectStore
from zcollection_store_object.retries import Retries


class PublishedOptions(Protocol):
    """What the options of every such store have.

    Attributes
    ----------
    max_retries
        How often a request is sent again that failed for a moment.
    """

    @property
    def max_retries(self) -> int: ...  # noqa: D102


@frozen(kw_only=True)
class PublishedStore(ObjectStore):
    """Objects that are only read; a subclass says by what means, and whether they can be listed.

    Attributes
    ----------
    url
        Where.
    read_only
        True.
    options
        What the caller passed; a pickle holds nothing else.
    by
        By what means they are read, for messages.
    """

    by: ClassVar[str]

    options: PublishedOptions

    def in_mode(self, mode: Mode) -> Self:
        """Return this store where it is opened for reading.

        Raises
        ------
        ReadOnlyError
            It is to be written to.
        """
        if mode != "r":
            self.check_writable()
        return self

    @property
    def retries(self) -> Retries:
        """How often a request is sent again."""
        return Retries(self.options.max_retries)

    def check_writable(self) -> None:
        """Refuse: nothing is written so."""
        message = f"{self.url} is read {self.by}, and never written to; accepted: mode='r'; write where its files lie"
        raise ReadOnlyError(message)

    def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List objects, or refuse to, as an iterator that fails, where there is no listing that could be relied on."""
        if self.has_listing:
            return super().list(prefix, after=after, recursive=recursive)
        return self._unlisted(prefix)

    async def _unlisted(self, prefix: str) -> AsyncIterator[Listed]:
        if prefix:
            check_prefixes(self.url, prefix)
        message = f"what lies below {prefix!r} in {self.url} cannot be listed {self.by}; do it where its files lie"
        raise StoreError(message)
        yield  # an iterator, as any listing is
