"""Stores that only read, with one fault each."""

from typing import ClassVar

from attrs import evolve, frozen
from broken_stores import DATA, Tiny

from zcollection.contracts.zarr_view import ZarrView
from zcollection.plugin import Listed, ReadOnlyError, StoreError


@frozen
class Reader(Tiny):
    """A sound one; what it reads is put into `DATA`."""

    has_listing: ClassVar[bool] = False

    @classmethod
    async def open(cls, url, *, mode):
        if "@" in url.location:
            message = f"{url} holds credentials"
            raise StoreError(message)
        store = cls(url, read_only=True)
        if mode != "r":
            store.check_writable()
        return store

    def check_writable(self):
        message = f"{self.url} is only read"
        raise ReadOnlyError(message)

    async def list(self, prefix, *, after="", recursive=False):
        message = f"{self.url} lists nothing"
        raise StoreError(message)
        yield

    @property
    def blocking(self):
        return None


@frozen
class FindsWhatIsMissing(Reader):
    def read(self, read):
        found = super().read(read)
        return b"<html>" if found is None else found


@frozen
class DecodesKeys(Reader):
    def read(self, read):
        return super().read(evolve(read, key=read.key.replace("%41", "A")))


@frozen
class CutsRangesShort(Reader):
    def read(self, read):
        found = super().read(read)
        return found and (found[:-1] if read.length else found)


@frozen
class OpensForWriting(Reader):
    @classmethod
    async def open(cls, url, *, mode):
        return await super().open(url, mode="r")


@frozen
class ReadsOutside(Reader):
    def checked(self, *keys):
        pass


@frozen
class ListsNothing(Reader):
    async def list(self, prefix, *, after="", recursive=False):
        return
        yield


@frozen
class ListsAPart(Reader):
    has_listing: ClassVar[bool] = True

    async def list(self, prefix, *, after="", recursive=False):
        for key in self.below(prefix)[:1]:
            yield Listed(key=key)


@frozen
class BecomesAnotherWhenPickled(Reader):
    def __reduce__(self):
        return type(self), (evolve(self.url, location=f"{self.url.location}/x"), True)


@frozen
class ServesOneLoopOnly(Reader):
    async def get(self, reads):
        import asyncio

        loop = DATA.setdefault(f"loop of {self.place}", {}).setdefault("loop", asyncio.get_running_loop())
        if loop is not asyncio.get_running_loop():
            message = "another loop"
            raise RuntimeError(message)
        return await super().get(reads)


@frozen
class SaysThatItListsToZarr(Reader):
    @property
    def zarr(self):
        class View(ZarrView):
            supports_listing = True

        return View(self)


@frozen
class ShowsItsURL(Reader):
    @classmethod
    async def open(cls, url, *, mode):
        if "@" in url.location:
            message = f"{url.scheme}://{url.location} holds credentials"
            raise StoreError(message)
        return await super().open(url, mode=mode)
