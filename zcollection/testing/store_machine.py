"""A state machine: any sequence of operations on a store has the same results as on a dictionary."""

import pickle
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from anyio.from_thread import BlockingPortal
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.errors import StoreError
from zcollection.testing.store_base import keys_under

T = TypeVar("T")

# No key is a prefix of another one followed by "/": a file system cannot store both.
_FOLDERS = st.sampled_from(("", "a/", "a/b/", "a-b/", "a.b/", "p=1/", "p=1/q=2/", "p=10/", "_stage/1/", "_stage/1/b/"))
_KEYS = st.builds(str.__add__, _FOLDERS, st.sampled_from(("x", "y", "zarr.json")))
_DATA = st.binary(max_size=6)
_TARGETS = st.sampled_from(("p=1/", "p=1/q=2/", "p=10/", "a/"))
_PREFIXES = st.sampled_from(("", "a/", "a/b/", "p=1/", "_stage/", "_stage/1/", "missing/"))

_STAGE, _TRASH = "_stage/1/", "_stage/dropped/"


class StoreMachine(RuleBasedStateMachine):
    """A store, and the dictionary with which it must agree.

    Parameters
    ----------
    portal
        The event loop on which the store is used.
    store
        An empty store, open for writing.
    """

    def __init__(self, portal: BlockingPortal, store: KeyStore) -> None:
        super().__init__()
        self._portal = portal
        self._store = store
        self._model: dict[str, bytes] = {}

    @rule(items=st.dictionaries(_KEYS, _DATA, min_size=1, max_size=4))
    def put(self, items: dict[str, bytes]) -> None:
        """Write a batch of objects."""
        self._call(self._store.put, items)
        self._model |= items

    @rule(key=_KEYS, data=_DATA)
    def create(self, key: str, data: bytes) -> None:
        """Write an object unless its key exists."""
        answer = self._call(self._store.create, key, data)
        assert answer == ("exists" if key in self._model else "created")
        self._model.setdefault(key, data)

    @rule(key=_KEYS, offset=st.integers(0, 8), length=st.none() | st.integers(0, 8))
    def get(self, key: str, offset: int, length: int | None) -> None:
        """Read a range of an object."""
        (data,) = self._call(self._store.get, [Read(key, offset=offset, length=length)])
        assert data == (self._model[key][offset:][:length] if key in self._model else None)

    @rule(source=_KEYS, copied=_KEYS)
    def copy(self, source: str, copied: str) -> None:
        """Copy an object; a missing source is an error."""
        if source in self._model:
            self._call(self._store.copy, [(source, copied)])
            self._model[copied] = self._model[source]
        else:
            with pytest.raises(StoreError):
                self._call(self._store.copy, [(source, copied)])

    @rule(keys=st.lists(_KEYS, max_size=3))
    def delete(self, keys: list[str]) -> None:
        """Delete objects, including missing ones."""
        self._call(self._store.delete, keys)
        self._model = {key: data for key, data in self._model.items() if key not in keys}

    @rule(prefix=_TARGETS | st.just("_stage/"))
    def delete_below(self, prefix: str) -> None:
        """Delete all objects under a prefix."""
        self._call(self._store.delete, [prefix])
        self._remove(prefix)

    @rule(destination=_TARGETS, times=st.integers(1, 2))
    @precondition(lambda self: self._under(_STAGE))
    def publish(self, destination: str, times: int) -> None:
        """Publish the staged group once or twice, and delete the staged objects; without its document it replaces no group."""
        staged = self._under(_STAGE)
        is_late = f"{_STAGE}zarr.json" not in staged and f"{destination}zarr.json" in self._model
        for _ in range(times):
            self._call(self._store.publish, _STAGE, destination)
        self._call(self._store.delete, [_STAGE])
        self._remove(_STAGE)
        if is_late:
            return
        self._remove(destination)
        self._model |= {destination + key.removeprefix(_STAGE): data for key, data in staged.items()}

    @rule(destination=_TARGETS)
    def unpublish(self, destination: str) -> None:
        """Remove a published group, and empty the trash."""
        self._call(self._store.unpublish, destination, _TRASH)
        self._call(self._store.delete, [_TRASH])
        self._remove(destination)

    @rule(prefix=_PREFIXES, after=_KEYS | st.just(""))
    def list_all_below(self, prefix: str, after: str) -> None:
        """List every object under a prefix."""
        listed = self._call(self._entries, prefix, after, True)
        assert listed == [(key, len(self._model[key])) for key in sorted(self._under(prefix)) if key > after]

    @rule(prefix=_PREFIXES)
    def list_directly_below(self, prefix: str) -> None:
        """List the objects and common prefixes directly under a prefix."""
        heads = {key: key.removeprefix(prefix).partition("/") for key in self._under(prefix)}
        expected = {
            prefix + head + slash: 0 if slash else len(self._model[key]) for key, (head, slash, _) in heads.items()
        }
        assert self._call(self._entries, prefix, "", False) == sorted(expected.items())

    @rule()
    def reopen(self) -> None:
        """Continue with a pickled copy of the store."""
        self._store = pickle.loads(pickle.dumps(self._store))  # noqa: S301 - made here

    @invariant()
    def it_contains_the_objects_of_the_dictionary(self) -> None:
        """Check that the store contains exactly the objects of the dictionary."""
        keys = self._call(keys_under, self._store)
        assert keys == sorted(self._model)
        assert self._call(self._store.get, [Read(key) for key in keys]) == [self._model[key] for key in keys]

    async def _entries(self, prefix: str, after: str, recursive: bool) -> list[tuple[str, int]]:
        return [(entry.key, entry.size) async for entry in self._store.list(prefix, after=after, recursive=recursive)]

    def _call(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        return self._portal.call(function, *arguments)

    def _under(self, prefix: str) -> dict[str, bytes]:
        return {key: data for key, data in self._model.items() if key.startswith(prefix)}

    def _remove(self, prefix: str) -> None:
        self._model = {key: data for key, data in self._model.items() if not key.startswith(prefix)}
