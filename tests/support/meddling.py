"""Stores in which something else happens while they are read, as other processes do at any moment."""

from functools import cached_property

from attrs import field, frozen
from zcollection_store_file.store import FileStore

import zcollection as zc


class MeddledBlocking:
    """Blocking access of a store, between whose reads of chunks something else happens."""

    def __init__(self, blocking, meddle):
        self._blocking, self._meddle, self.asked = blocking, meddle, []

    def __getattr__(self, name):
        return getattr(self._blocking, name)

    def get(self, reads):
        answer = self._blocking.get(reads)
        if any("/c/" in read.key and not read.key.startswith("_catalog") for read in reads):
            self.asked.append([read.key for read in reads])
            self._meddle(len(self.asked))
        return answer


@frozen(slots=False)
class Meddled(FileStore):
    meddle: object = field(default=None, kw_only=True, eq=False)

    @cached_property
    def _meddled(self):
        return MeddledBlocking(FileStore(url=self.url, root=self.root, read_only=self.read_only).blocking, self.meddle)

    @property
    def blocking(self):
        return self._meddled


def meddled(collection, meddle):
    return zc.open_collection(
        Meddled(url=collection.store.url, root=collection.store.root, read_only=True, meddle=meddle)
    )
