"""What the checks of stores have in common: stores opened, filled and looked at."""

import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

import anyio

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore, Mode, Store
from zcollection.contracts.url import StoreURL
from zcollection.testing.suite import Suite, skip_unless

S = TypeVar("S", bound=Store)
T = TypeVar("T")

SECRET = "swordfish"  # noqa: S105 - of nobody


class StoreSuite(Suite, Generic[S]):
    """Base of the suites of stores: which store, and where; see `KeyStoreSuite` and `TransactionalStoreSuite`."""

    store_class: ClassVar[type[Store]]
    storage_options: ClassVar[Mapping[str, Any]] = {}
    secret_options: ClassVar[Mapping[str, Any]] = {}
    sequences: ClassVar[int] = 30
    patience: ClassVar[float] = 30.0

    def url(self, folder: Path) -> str:
        """Return a URL at which nothing lies yet: each folder's own.

        Parameters
        ----------
        folder
            A directory of this test alone, which need not exist; a store of files may lie in it.
        """
        message = f"{type(self).__name__} does not say where its stores lie; give it a method url(folder)"
        raise NotImplementedError(message)

    def url_with_credentials(self, folder: Path) -> str:
        """Return a URL that holds the password `SECRET`; nothing is written there.

        Parameters
        ----------
        folder
            As for `url`.
        """
        url = StoreURL.parse(self.url(folder))
        return f"{url.scheme}://reader:{SECRET}@{url.location.lstrip('/')}"

    def test_opening_at_once_waits_for_nothing(self, tmp_path: Path) -> None:
        """On a thread without an event loop it is open after one step, where the store says so."""
        skip_unless(self.store_class.opens_at_once, "the store may wait while it is opened")
        opening = self._open(self.url(tmp_path))
        try:
            opening.send(None)
        except StopIteration:
            return
        opening.close()
        message = "open() waits, and opens_at_once is True"
        raise AssertionError(message)

    async def _open(self, url: str, mode: Mode = "rw") -> S:
        return cast("S", await self.store_class.open(StoreURL.parse(url), mode=mode, **self.storage_options))

    def _with_store(self, check: Callable[[S], Awaitable[T]], folder: Path) -> T:
        """Open a store at a new place for writing, and run a check with it on one event loop."""

        async def main() -> T:
            return await check(await self._open(self.url(folder)))

        return anyio.run(main)

    def _within_patience(self, check: Callable[[S], Awaitable[T]], folder: Path) -> T:
        """Do the same on a thread of its own, so that a store which blocks its event loop cannot hang the tests."""
        outcome: list[T] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                outcome.append(self._with_store(check, folder))
            except BaseException as error:  # noqa: BLE001 - raised again below
                failure.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(2 * self.patience)
        if failure:
            raise failure[0]
        assert outcome, f"nothing came of it within {2 * self.patience:g} s: the event loop is blocked"
        return outcome[0]


async def read(store: KeyStore, key: str) -> bytes | None:
    """Return one object, or None."""
    return (await store.get([Read(key)]))[0]


async def keys_under(store: KeyStore, prefix: str = "") -> list[str]:
    """Return the keys of all objects below a prefix, as listed."""
    return [entry.key async for entry in store.list(prefix, recursive=True)]


async def contents(store: KeyStore, prefix: str = "") -> dict[str, bytes | None]:
    """Return all objects below a prefix."""
    keys = await keys_under(store, prefix)
    return dict(zip(keys, await store.get([Read(key) for key in keys]), strict=True))
