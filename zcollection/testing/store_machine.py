"""Any sequence of operations on a store, each compared with what a dictionary would have made of it."""

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

# No key is a directory of another one: a file system cannot hold both.
_FOLDERS = st.sampled_from(("", "a/", "a/b/", "a-b/", "a.b/", "p=1/", "p=1/q=2/", "p=10/", "_stage/1/", "_stage/1/b/"))
_KEYS = st.builds(str.__add__, _FOLDERS, st.sampled_from(("x", "y", "zarr.json")))
_DATA = st.binary(max_size=6)
_PLACES = st.sampled_from(("p=1/", "p=1/q=2/", "p=10/", "a/"))
_PREFIXES = st.sampled_from(("", "a/", "a/b/", "p=1/", "_stage/", "_stage/1/", "missing/"))

_STAGE, _TRASH = "_stage/1/", "_stage/dropped/"


class StoreMachine(RuleBasedStateMachine):
    """A store, and the dictionary that it must agree with.

    Parameters
    ----------
    portal
        The event loop to use the store on.
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
        """Write a batch."""
        self._call(self._store.put, items)
        self._model |= items

    @rule(key=_KEYS, data=_DATA)
    def create(self, key: str, data: bytes) -> None:
        """Write one object unless it exists."""
        answer = self._call(self._store.create, key, data)
        assert answer == ("exists" if key in self._model else "created")
        self._model.setdefault(key, data)

    @rule(key=_KEYS, offset=st.integers(0, 8), length=st.none() | st.integers(0, 8))
    def get(self, key: str, offset: int, length: int | None) -> None:
        """Read a range."""
        (data,) = self._call(self._store.get, [Read(key, offset=offset, length=length)])
        assert data == (self._model[key][offset:][:length] if key in self._model else None)

    @rule(source=_KEYS, copied=_KEYS)
    def copy(self, source: str, copied: str) -> None:
        """Copy one object; a missing one is an error."""
        if source in self._model:
            self._call(self._store.copy, [(source, copied)])
            self._model[copied] = self._model[source]
        else:
            with pytest.raises(StoreError):
                self._call(self._store.copy, [(source, copied)])

    @rule(keys=st.lists(_KEYS, max_size=3))
    def delete(self, keys: list[str]) -> None:
        """Delete objects, missing ones too."""
        self._call(self._store.delete, keys)
        self._model = {key: data for key, data in self._model.items() if key not in keys}

    @rule(prefix=_PLACES | st.just("_stage/"))
    def delete_below(self, prefix: str) -> None:
        """Delete all below a prefix."""
        self._call(self._store.delete, [prefix])
        self._forget(prefix)

    @rule(place=_PLACES, times=st.integers(1, 2))
    @precondition(lambda self: self._below(_STAGE))
    def publish(self, place: str, times: int) -> None:
        """Publish what is staged, once or twice, and clear the stage; without its document it replaces no group."""
        staged = self._below(_STAGE)
        late = f"{_STAGE}zarr.json" not in staged and f"{place}zarr.json" in self._model
        for _ in range(times):
            self._call(self._store.publish, _STAGE, place)
        self._call(self._store.delete, [_STAGE])
        self._forget(_STAGE)
        if late:
            return
        self._forget(place)
        self._model |= {place + key.removeprefix(_STAGE): data for key, data in staged.items()}

    @rule(place=_PLACES)
    def unpublish(self, place: str) -> None:
        """Take away what lies at a place, and clear the trash."""
        self._call(self._store.unpublish, place, _TRASH)
        self._call(self._store.delete, [_TRASH])
        self._forget(place)

    @rule(prefix=_PREFIXES, after=_KEYS | st.just(""))
    def list_all_below(self, prefix: str, after: str) -> None:
        """List every object below a prefix."""
        listed = self._call(self._entries, prefix, after, True)
        assert listed == [(key, len(self._model[key])) for key in sorted(self._below(prefix)) if key > after]

    @rule(prefix=_PREFIXES)
    def list_directly_below(self, prefix: str) -> None:
        """List objects and common prefixes."""
        heads = {key: key.removeprefix(prefix).partition("/") for key in self._below(prefix)}
        expected = {
            prefix + head + slash: 0 if slash else len(self._model[key]) for key, (head, slash, _) in heads.items()
        }
        assert self._call(self._entries, prefix, "", False) == sorted(expected.items())

    @rule()
    def reopen(self) -> None:
        """Go on with a pickled copy of the store."""
        self._store = pickle.loads(pickle.dumps(self._store))  # noqa: S301 - made here

    @invariant()
    def it_holds_what_the_dictionary_holds(self) -> None:
        """Every object, and no other."""
        keys = self._call(keys_under, self._store)
        assert keys == sorted(self._model)
        assert self._call(self._store.get, [Read(key) for key in keys]) == [self._model[key] for key in keys]

    async def _entries(self, prefix: str, after: str, recursive: bool) -> list[tuple[str, int]]:
        return [(entry.key, entry.size) async for entry in self._store.list(prefix, after=after, recursive=recursive)]

    def _call(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        return self._portal.call(function, *arguments)

    def _below(self, prefix: str) -> dict[str, bytes]:
        return {key: data for key, data in self._model.items() if key.startswith(prefix)}

    def _forget(self, prefix: str) -> None:
        self._model = {key: data for key, data in self._model.items() if not key.startswith(prefix)}
