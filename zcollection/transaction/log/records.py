"""The existing records of all versions, in the log and in the history files, and which of them are lost or contradict each other."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeVar

from attrs import frozen

from zcollection.contracts.store import KeyStore
from zcollection.errors import CorruptionError
from zcollection.transaction.log import history_files
from zcollection.transaction.log.commit_log import LOG, contents, numbers_of, record_key
from zcollection.transaction.version import Version

R = TypeVar("R")

_MOST_LOST: Final = 1_000_000


@frozen
class Records:
    """The existing records of all versions.

    Attributes
    ----------
    folded
        The versions in each history file, by key; None for a damaged file.
    logged
        The versions in the log, by number; the error for a damaged record.
    newest
        The newest version that has a record or a mark in the log; if the log is lost, the version after the history.
    """

    folded: Mapping[str, tuple[Version, ...] | None]
    logged: Mapping[int, Version | CorruptionError]
    newest: int

    @classmethod
    async def read(cls, store: KeyStore, *, check_partitions: bool = False) -> "Records":
        """Read the records; with `check_partitions`, a version whose partitions cannot be parsed counts as damaged."""
        folded = {
            key: history_files.parse(key, data, check_partitions=check_partitions)
            for key, data in (await contents(store, history_files.FOLDER)).items()
        }
        records = await contents(store, LOG)
        logged = {
            number: _version_of(number, records[record_key(number)], check_partitions=check_partitions)
            for number in numbers_of(records, ".json")
        }
        last = max((item.number for items in folded.values() for item in items or ()), default=-2)
        newest = max([*logged, *numbers_of(records, ".ok")], default=last + 1)
        return cls(folded, _without_superseded(logged, last), newest)

    @property
    def versions(self) -> dict[int, Version]:
        """The existing versions, by number; the log has precedence over the history."""
        old = {item.number: item for items in self.folded.values() for item in self.consistent(items or ())}
        return old | {number: item for number, item in self.logged.items() if isinstance(item, Version)}

    def lost(self, *, at_least: int) -> list[int]:
        """Return the versions up to the newest known one whose records are lost or damaged.

        Raises
        ------
        CorruptionError
            The number of lost records is not plausible: an object name contains a number that is no version.
        """
        newest, known = max(self.newest, at_least), self.versions
        if newest - len(known) > _MOST_LOST:
            message = (
                f"the log names version {newest}, but contains the records of only {len(known)} versions: zcollection did not "
                f"write the object with this name; remove it"
            )
            raise CorruptionError(message)
        return sorted(set(range(newest + 1)) - known.keys())

    def foreign(self) -> list[int]:
        """Return the versions in the history that differ from the log's version of that number, or are newer than the log."""
        return sorted(item.number for items in self.folded.values() for item in items or () if self._is_foreign(item))

    def _is_foreign(self, folded: Version) -> bool:
        logged = self.logged.get(folded.number)
        is_other = isinstance(logged, Version) and logged.transaction != folded.transaction
        return is_other or folded.number > self.newest

    def consistent(self, items: Sequence[Version]) -> tuple[Version, ...]:
        """Return the versions of a history file that do not contradict the log."""
        return tuple(item for item in items if not self._is_foreign(item))


def _without_superseded(logged: Mapping[int, R], last: int) -> dict[int, R]:
    """Return the records of the log without those that the history, up to version `last`, supersedes: see `is_committed`.

    A gap follows them in the log.
    """
    superseded = min(last_gap(logged), last)
    return {number: record for number, record in logged.items() if number > superseded}


def last_gap(numbers: Iterable[int]) -> int:
    """Return the last version without a record between versions that have one; -1 if there is no gap."""
    return max((after - 1 for before, after in pairwise(sorted(numbers)) if after > before + 1), default=-1)


def describe_foreign(foreign: Sequence[int]) -> str:
    """Return a description of a history that contains versions of another log."""
    return (
        f"the history contains version {foreign[0]}, but the log contains another version with this number, or only older "
        f"versions: one of the two was restored from a copy"
    )


def _version_of(number: int, record: bytes, *, check_partitions: bool) -> Version | CorruptionError:
    """Return the version of a record, or the error if it is damaged."""
    try:
        version = Version.load(number, record)
        if check_partitions:
            dict(version.partitions)
    except CorruptionError as damage:
        return damage
    return version
