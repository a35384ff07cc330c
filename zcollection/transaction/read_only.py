"""The versions of a collection for a reader that cannot write: every method that writes raises an error."""

# ruff: noqa: ARG002 - methods that only raise an error use no argument

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import NoReturn

from zcollection.errors import ReadOnlyError
from zcollection.transaction.change import Transaction
from zcollection.transaction.documents import Configuration
from zcollection.transaction.index.partitions import Candidates
from zcollection.transaction.reports import Label, VacuumReport
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.versioning import TransactionFactory, Versioning


class ReadOnlyVersioning(Versioning):
    """Versions that cannot be changed: the methods that write raise `ReadOnlyError`."""

    async def tag(self, configuration: Configuration, name: str, version: Label | None) -> None:
        """Raise an error: an older version is read-only."""
        self._refuse()

    async def untag(self, configuration: Configuration, name: str) -> None:
        """Raise an error: an older version is read-only."""
        self._refuse()

    async def retain(self, configuration: Configuration, *, versions: int | None, seconds: float | None) -> None:
        """Raise an error: an older version is read-only."""
        self._refuse()

    async def initialise(self, configuration: Configuration, *, overwrite: bool) -> Configuration:
        """Raise an error: an older version is read-only."""
        self._refuse()

    async def creation(self, configuration: Configuration, operation: str, *, overwrite: bool) -> TransactionFactory:
        """Raise an error: an older version is read-only."""
        self._refuse()

    def begin(
        self,
        configuration: Configuration,
        operation: str,
        *,
        source: str | None = None,
        candidates: Candidates = None,
    ) -> AbstractAsyncContextManager[Transaction]:
        """Raise an error: an older version is read-only."""
        self._refuse()

    async def place_statistics(
        self,
        configuration: Configuration,
        snapshot: Snapshot,
        objects: Mapping[str, tuple[str, bytes]],
    ) -> None:
        """Raise an error: an older version is read-only."""
        self._refuse()

    async def vacuum(self, configuration: Configuration, older_than: float) -> VacuumReport:
        """Raise an error: an older version is read-only."""
        self._refuse()

    async def repair(
        self,
        configuration: Configuration,
        snapshot: Snapshot,
        documents: Mapping[str, bytes],
    ) -> list[str]:
        """Raise an error: an older version is read-only."""
        self._refuse()

    async def rebuild_catalog(self, configuration: Configuration) -> int:
        """Raise an error: an older version is read-only."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        message = (
            f"{self.store.url} was opened at version {self.pinned_at}; open it without at=, with mode='rw', to write"
        )
        raise ReadOnlyError(message)
