"""Base class and helpers of the checks of stores."""

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

SECRET = "swordfish"  # noqa: S105 - a password that nobody uses


class StoreSuite(Suite, Generic[S]):
    """Base class of the suites of stores; see `KeyStoreSuite` and `TransactionalStoreSuite`."""

    store_class: ClassVar[type[Store]]
    storage_options: ClassVar[Mapping[str, Any]] = {}
    secret_options: ClassVar[Mapping[str, Any]] = {}
    sequences: ClassVar[int] = 30
    patience: ClassVar[float] = 30.0

    def url(self, folder: Path) -> str:
        """Return the URL of a new store, a different one for each folder.

        Parameters
        ----------
        folder
            A directory for this test only, which may not exist yet; a store of files can use it.
        """
        message = f"{type(self).__name__} has no URLs for its stores; define the method url(folder)"
        raise NotImplementedError(message)

    def url_with_credentials(self, folder: Path) -> str:
        """Return a URL that contains the password `SECRET`; nothing is written to it.

        Parameters
        ----------
        folder
            As for `url`.
        """
        url = StoreURL.parse(self.url(folder))
        return f"{url.scheme}://reader:{SECRET}@{url.location.lstrip('/')}"

    def test_opening_at_once_does_not_wait(self, tmp_path: Path) -> None:
        """If `opens_at_once` is true, `open` returns without waiting, also on a thread without an event loop."""
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
        """Open a new store for writing, and run a check with it on one event loop."""

        async def main() -> T:
            return await check(await self._open(self.url(folder)))

        return anyio.run(main)

    def _within_patience(self, check: Callable[[S], Awaitable[T]], folder: Path) -> T:
        """Run a check as `_with_store` does, on a separate thread: a store that blocks its event loop cannot block the tests."""
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
        assert outcome, f"the check did not end within {2 * self.patience:g} s: the event loop is blocked"
        return outcome[0]


async def read(store: KeyStore, key: str) -> bytes | None:
    """Return the bytes of an object, or None."""
    return (await store.get([Read(key)]))[0]


async def keys_under(store: KeyStore, prefix: str = "") -> list[str]:
    """Return the keys of all objects under a prefix, in the order of the listing."""
    return [entry.key async for entry in store.list(prefix, recursive=True)]


async def contents(store: KeyStore, prefix: str = "") -> dict[str, bytes | None]:
    """Return the bytes of all objects under a prefix, by key."""
    keys = await keys_under(store, prefix)
    return dict(zip(keys, await store.get([Read(key) for key in keys]), strict=True))
