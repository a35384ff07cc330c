"""A bucket in memory with the semantics of S3: no lock, no renames, requests that are seen one by one."""

import hashlib
import time
from collections import Counter
from typing import ClassVar

from anyio.lowlevel import checkpoint
from attrs import define, field, frozen
from zcollection_store_object.driver import RequestError
from zcollection_store_object.objects import ObjectStore
from zcollection_store_object.retries import Retries

from zcollection.plugin import Listed

BUCKETS = {}


class DiedError(Exception):
    """The process is dead: nothing that it does has an effect any more."""


@define
class Power:
    """How many steps a process can still take; each changing request is two, one before and one after its effect."""

    left: int = 10**9

    async def before(self, kind, keys):
        self.spend(kind)

    async def after(self, kind, keys):
        self.spend(kind)

    def spend(self, kind):
        if self.left == 0:
            raise DiedError
        if kind not in {"GET", "LIST"}:
            self.left -= 1


@define
class Bucket:
    """Requests to the objects of one bucket.

    Attributes
    ----------
    objects
        Bytes and time of each, by key.
    watch
        Asked before and after each request.
    requests
        Kind and first key of each.
    """

    objects: dict = field(repr=False)
    watch: Power = field(factory=Power)
    requests: list = field(factory=list, repr=False)

    @property
    def counts(self):
        return Counter(kind for kind, _ in self.requests)

    async def _request(self, kind, keys, effect):
        self.requests.append((kind, keys[0] if keys else ""))
        await checkpoint()
        await self.watch.before(kind, keys)
        answer = effect()
        await self.watch.after(kind, keys)
        return answer

    async def get(self, key, offset, length, most):
        return await self._request("GET", [key], lambda: self._part(key, offset, length, most))

    def _part(self, key, offset, length, most):
        held = self.objects.get(key)
        return None if held is None else held[0][offset:][:length][:most]

    async def put(self, key, data):
        await self._request("PUT", [key], lambda: self._write(key, data))

    def _write(self, key, data):
        self.objects[key] = (bytes(data), time.time())

    async def create(self, key, data):
        return await self._request("CREATE", [key], lambda: self._create(key, data))

    def _create(self, key, data):
        if key in self.objects:
            return "exists"
        self._write(key, data)
        return "created"

    async def list(self, prefix, *, after, recursive):
        yield await self._request("LIST", [prefix], lambda: self._entries(prefix, after, recursive))

    def _entries(self, prefix, after, recursive):
        found = {}
        for key in sorted(held for held in self.objects if held.startswith(prefix)):
            head, slash, _ = key.removeprefix(prefix).partition("/")
            shown = key if recursive or not slash else f"{prefix}{head}/"
            if shown > after and shown not in found:
                found[shown] = self._entry(shown) if shown == key else Listed(key=shown)
        return list(found.values())

    def _entry(self, key):
        data, modified = self.objects[key]
        return Listed(key=key, size=len(data), modified=modified, etag=hashlib.md5(data).hexdigest())

    async def copy(self, source, target):
        return await self._request("COPY", [target], lambda: self._copy(source, target))

    def _copy(self, source, target):
        held = self.objects.get(source)
        if held is not None:
            self._write(target, held[0])
        return held is not None

    async def delete(self, keys):
        def delete():
            for key in keys:
                self.objects.pop(key, None)

        await self._request("DELETE", list(keys), delete)


@frozen(kw_only=True)
class BucketStore(ObjectStore):
    """A store of a bucket in memory.

    Attributes
    ----------
    bucket
        Takes the requests of this store.
    """

    cross_process: ClassVar[bool] = False
    key_prefix: ClassVar[str] = "prefix/"

    bucket: Bucket = field(eq=False)

    @property
    def retries(self):
        return Retries(0)

    def connect(self):
        return self.bucket

    @classmethod
    async def open(cls, url, *, mode):
        bucket = Bucket(BUCKETS.setdefault(url.location, {}))
        return cls(url=url, read_only=mode == "r", bucket=bucket)

    def with_watch(self, watch):
        """Return the same store for another process."""
        return BucketStore(url=self.url, read_only=self.read_only, bucket=Bucket(self.bucket.objects, watch))

    @property
    def data(self):
        """The objects by their keys in the store."""
        return {key.removeprefix(self.key_prefix): held[0] for key, held in self.bucket.objects.items()}


__all__ = ["BUCKETS", "Bucket", "BucketStore", "DiedError", "Power", "RequestError"]
