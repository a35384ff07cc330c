"""The conformance suite of stores that commit by themselves."""

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
    """Conformance of a store with snapshots and commits of its own; subclass it, and give `store_class` and `url`.

    What the class declares (`cross_process`), or the suite says (`tag`, `secret_options`), is checked; what they do not is
    skipped.

    Attributes
    ----------
    store_class
        The store.
    storage_options
        Options that it is opened with.
    secret_options
        Options that may hold a credential, each with one that contains `SECRET`.

    Examples
    --------
    ::

        class TestIcechunkStore(TransactionalStoreSuite):
            store_class = IcechunkStore

            def url(self, folder):
                return f"icechunk://{folder}"
    """

    def test_errors_show_the_url_and_no_credential(self, tmp_path: Path) -> None:
        """Neither does what is printed of the store, whether the URL holds the password or an option does."""
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
            assert SECRET in str(value), f"the option {name!r} does not hold the password that is looked for"
            anyio.run(provoke, self.url(tmp_path), {**self.storage_options, name: value})
        assert failures, "nothing was refused"
        for failure in failures:
            assert "://" in str(failure), f"no URL in: {failure}"
            assert SECRET not in "".join(traceback.format_exception(failure)), "an error shows the password"
