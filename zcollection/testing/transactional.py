"""The conformance suite of transactional stores."""

import traceback
from pathlib import Path

import anyio

from zcollection.contracts.transactional import TransactionalStore
from zcollection.contracts.url import StoreURL
from zcollection.errors import ZCollectionError
from zcollection.testing.store_base import SECRET
from zcollection.testing.transactional_commits import CommitChecks
from zcollection.testing.transactional_sharing import TransactionalSharingChecks
from zcollection.testing.transactional_snapshots import SnapshotChecks

__all__ = ["TransactionalStoreSuite"]


class TransactionalStoreSuite(SnapshotChecks, CommitChecks, TransactionalSharingChecks):
    """Conformance of a store that makes its own commits and snapshots; subclass it, and set `store_class` and `url`.

    Optional properties are checked if the class declares them (`cross_process`) or the suite defines them (`tag`,
    `secret_options`); otherwise their checks are skipped.

    Attributes
    ----------
    store_class
        Class of the store.
    storage_options
        Options for opening the store.
    secret_options
        Options for credentials, each with a value that contains `SECRET`.

    Examples
    --------
    ::

        class TestIcechunkStore(TransactionalStoreSuite):
            store_class = IcechunkStore

            def url(self, folder):
                return f"icechunk://{folder}"
    """

    def test_errors_show_the_url_and_no_credential(self, tmp_path: Path) -> None:
        """No error, repr or string of the store contains a password of the URL or of an option; errors contain the URL without it."""
        failures: list[ZCollectionError] = []

        async def provoke(url: str, options: dict[str, object]) -> None:
            for mode in ("r", "rw"):
                try:
                    store = await self.store_class.open(StoreURL.parse(url), mode=mode, **options)
                except ZCollectionError as error:
                    failures.append(error)
                    continue
                assert isinstance(store, TransactionalStore)
                assert SECRET not in f"{store!r} {store} {store.url!r} {store.url}"
                for attempt in (store.resolve, store.snapshot, store.history):
                    try:
                        await attempt("ZZZZZZZZZZZZZZZZZZZ0")
                    except ZCollectionError as error:
                        failures.append(error)

        with_password = self.url_with_credentials(tmp_path)
        assert SECRET in with_password
        anyio.run(provoke, with_password, {**self.storage_options})
        for name, value in self.secret_options.items():
            assert SECRET in str(value), f"the value of the option {name!r} does not contain the password"
            anyio.run(provoke, self.url(tmp_path), {**self.storage_options, name: value})
        assert failures, "no error was raised"
        for failure in failures:
            assert "://" in str(failure), f"no URL in: {failure}"
            assert SECRET not in "".join(traceback.format_exception(failure)), "an error contains the password"
