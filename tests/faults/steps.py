"""The safety steps of the protocol: how each is taken away from the running code, and which tests must miss it."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from attrs import frozen
from mutations import nothing

from zcollection.engine.work import Work

COMMITS = "tests/kernel/test_commits.py"
TRANSACTIONS = "tests/kernel/test_transactions.py"
VACUUM = "tests/kernel/test_vacuum.py"
FILE = "plugins/store-file/tests"
IN_PLACE = "tests/storage/test_in_place.py"


@frozen
class Step:
    """A step of the protocol.

    Attributes
    ----------
    take_away
        Removes it from the code of this process.
    tests
        What pytest is given to run: one of them must fail without the step.
    """

    take_away: Callable[[], None]
    tests: tuple[str, ...]


STEPS: dict[str, Step] = {}


def step(name: str, *tests: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def decorate(take_away: Callable[[], None]) -> Callable[[], None]:
        STEPS[name] = Step(take_away, tests)
        return take_away

    return decorate


async def nothing_later(*_: object, **__: object) -> None:
    """Do nothing, where something would be awaited."""


@step("user code sees partitions of one version only", f"{COMMITS}::test_user_code_never_sees_a_mixture")
def _validated_snapshot() -> None:
    from zcollection.collection.open_collection import Stamp
    from zcollection.engine import read

    Stamp.__call__ = nothing
    read._check_limits = nothing  # which would detect some of them


@step(
    "a writer looks whether others changed what it read",
    f"{TRANSACTIONS}::test_of_two_writers_of_one_partition_the_second_merges_again",
)
def _conflict_check() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    LogTransaction._check = nothing


@step("a record is read back by its transaction", f"{COMMITS}::test_a_lost_answer_neither_loses_nor_doubles_a_change")
def _read_back() -> None:
    from zcollection.model import documents
    from zcollection.transaction.log import commit_log

    async def believing(store: Any, version: Any) -> bool:
        data = documents.dump(version, kind="version")
        return await store.create(commit_log.record_key(version.number), data) == "created"

    commit_log.append = believing


@step(
    "a reader looks whether a newer version was committed meanwhile",
    f"{COMMITS}::test_a_query_is_of_one_version_whatever_is_committed_meanwhile",
)
def _outdated() -> None:
    from zcollection.transaction.log import snapshots

    async def never(*_: object) -> bool:
        return False

    snapshots.is_outdated = never


@step("a query at once looks whether a newer version was committed meanwhile", "tests/integration/test_at_once.py")
def _at_once() -> None:
    from zcollection.transaction.log import commit_log

    def always(*_: object) -> Work[bool]:
        yield from ()
        return True

    commit_log.being_newest = always


@step(
    "what is committed is looked for where it was staged",
    f"{TRANSACTIONS}::test_what_is_committed_is_read_wherever_it_lies_and_the_next_writer_puts_it_in_place",
)
def _places() -> None:
    from zcollection.transaction.log import snapshots

    def in_place(*_: object) -> Work[dict[str, Any]]:
        yield from ()
        return {}

    snapshots._places = in_place


@step("directories on the way are synchronised", f"{FILE}/test_durability.py")
def _directories() -> None:
    from zcollection_store_file import blocking

    blocking.sync_way = nothing


@step("a swap is synchronised before what it replaced goes", f"{FILE}/test_durability.py")
def _swap() -> None:
    from zcollection_store_file import publishing

    publishing.Publication._sync = nothing


@step("a marker says which directory is the new one", f"{FILE}/test_publishing.py")
def _marker() -> None:
    from zcollection_store_file import publishing

    publishing.Publication._is_swapped = lambda _: False


@step("one writer at a time commits and publishes", f"{FILE}/test_file.py")
def _lock() -> None:
    from zcollection_store_file.store import FileStore

    FileStore.lock = lambda _: nullcontext()


@step(
    "a vacuum writes a record of the stages that it removes",
    f"{VACUUM}::test_a_slow_writer_whose_stage_is_removed_runs_again",
)
def _vacuum_record() -> None:
    from zcollection.transaction.log.transaction import LogTransaction
    from zcollection.transaction.version import stage_of

    commit = LogTransaction.commit

    async def silently(self: Any) -> None:
        await self.store.delete([stage_of(transaction) for transaction in self.removed])
        self.removed = ()
        await commit(self)

    LogTransaction.commit = silently


@step("what may be committed keeps its stage", f"{COMMITS}::test_a_commit_of_which_nobody_knows_keeps_what_it_staged")
def _kept_stage() -> None:
    from zcollection.transaction.log.transaction import LogTransaction
    from zcollection.transaction.version import stage_of

    async def discard(self: Any) -> None:
        await self.store.delete([stage_of(self.id)])

    LogTransaction.discard = discard


@step(
    "a writer first publishes what a dead one committed",
    f"{TRANSACTIONS}::test_what_is_committed_is_read_wherever_it_lies_and_the_next_writer_puts_it_in_place",
    f"{COMMITS}::test_wherever_a_writer_dies_readers_see_all_of_its_change_or_nothing",
)
def _settle() -> None:
    from zcollection.transaction.log import publication

    async def given_up(_: Any, changes: Any) -> Any:
        return publication.Unplaced(tuple(change.number for change in changes))

    publication.settle = given_up


@step(
    "a change is marked as published before its stage goes",
    f"{COMMITS}::test_wherever_a_writer_dies_readers_see_all_of_its_change_or_nothing",
)
def _mark_first() -> None:
    from zcollection.transaction.log import commit_log

    mark = commit_log.mark_published

    async def marked(store: Any, version: Any) -> None:
        await store.delete([version.stage])
        await mark(store, version)

    commit_log.mark_published = marked


@step(
    "records are folded from the oldest on", f"{VACUUM}::test_records_are_folded_without_a_gap_whatever_their_times_say"
)
def _oldest_first() -> None:
    from zcollection.transaction.log import vacuum

    vacuum.takewhile = filter


@step("the newest record is never folded", f"{VACUUM}::test_a_vacuum_of_everything_leaves_a_collection_that_works")
def _newest_stays() -> None:
    from zcollection.transaction.log import vacuum

    write_checkpoint = vacuum.write_checkpoint

    async def beyond(*arguments: Any) -> int:
        return await write_checkpoint(*arguments) + 1

    vacuum.write_checkpoint = beyond


@step(
    "the record that a change builds upon must be there",
    f"{VACUUM}::test_a_writer_who_slept_through_a_vacuum_does_not_write_history_anew",
)
def _base_record() -> None:
    from zcollection.contracts.objects import Read
    from zcollection.engine.work import fetch
    from zcollection.transaction.log import commit_log
    from zcollection.transaction.version import Version

    def following(store: Any, known: Any) -> Any:
        del store
        found: list[Any] = []
        number = known.number
        while (data := (yield from fetch([Read(commit_log.record_key(number + 1))]))[0]) is not None:
            number += 1
            found.append(Version.load(number, data))
        return (yield from commit_log._marked(found))

    commit_log.following = following


@step("a catalog holds only what is published", f"{VACUUM}::test_a_checkpoint_is_of_what_lies_in_its_place")
def _published_checkpoint() -> None:
    from zcollection.transaction.index import catalog
    from zcollection.transaction.log import snapshots, transaction

    async def write_checkpoint(store: Any, configuration: Any) -> int:
        taken = await snapshots.take(store, configuration)
        await catalog.save(store, taken.to_checkpoint())
        return taken.version

    transaction.write_checkpoint = write_checkpoint


@step(
    "a replacement is announced before it is committed",
    f"{COMMITS}::test_wherever_a_writer_dies_readers_see_all_of_its_change_or_nothing",
)
def _announcement() -> None:
    from zcollection.transaction.log import commit_log

    commit_log.announce = nothing_later


@step(
    "a catalog is believed by its checksum",
    "tests/kernel/test_verify.py::test_a_catalog_of_which_a_value_was_changed_is_not_believed",
)
def _catalog_checksum() -> None:
    from zcollection.transaction.index import catalog

    class Equal(int):
        def __eq__(self, _: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Crc:
        crc32 = staticmethod(lambda _: Equal(0))

    catalog.zlib = Crc


@step(
    "a lost record is missed", "tests/kernel/test_verify.py::test_the_newest_record_is_missed_where_its_mark_is_there"
)
def _lost_record() -> None:
    from zcollection.transaction.log import commit_log

    def nobody_looks(*_: object) -> Work[None]:
        yield from ()

    commit_log._checking_not_lost = nobody_looks


@step(
    "of a collection that is replaced nothing remains",
    "tests/kernel/test_drop_and_copy.py::test_of_a_collection_that_is_replaced_nothing_remains_that_is_written_meanwhile",
)
def _replacement() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    check = LogTransaction._check

    def lenient(self: Any, newer: Any) -> None:
        replacement, self.replacement = self.replacement, None
        check(self, newer)
        self.replacement = replacement

    LogTransaction._check = lenient


@step("what lies in a place is not written over", IN_PLACE)
def _create_only() -> None:
    from zcollection.engine import work

    async def putting(store: Any, objects: Any) -> bool:
        for key, data in objects.items():
            if await store.create(key, data) != "created":
                await store.put({key: data})
        return True

    work._created = putting


@step("a place is claimed before anything else is put there", IN_PLACE)
def _claimed() -> None:
    from zcollection.transaction.log.in_place import InPlace

    before = InPlace.__init__

    def claimed(self: Any, *given: Any) -> None:
        before(self, *given)
        self._is_claimed = True

    InPlace.__init__ = claimed  # type: ignore[method-assign]


@step("a writer in a place depends on nothing being committed there", IN_PLACE)
def _depending() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    before = LogTransaction.add

    def add(self: Any, partition: Any) -> None:
        read = set(self._read)
        before(self, partition)
        self._read = read

    LogTransaction.add = add  # type: ignore[method-assign]


@step("a vacuum is a change of the places that it clears", IN_PLACE)
def _clearing() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    def clear(self: Any, path: str) -> None:
        self._cleared.append(path)

    LogTransaction.clear = clear  # type: ignore[method-assign]


@step("what a failed writer put in a place stays announced", IN_PLACE)
def _announced() -> None:
    from zcollection.transaction.log import in_place

    in_place._is_occupied = nothing_later


@step(
    "a change runs where nobody cancels it but those who take care",
    "tests/integration/test_cancelled.py",
    "tests/kernel/test_carried_out.py",
)
def _carried_out() -> None:
    from zcollection import portal

    async def directly(function: Any, /, *arguments: Any, **options: Any) -> Any:
        return await function(*arguments, **options)

    portal.carried_out.__code__ = directly.__code__


@step("what is committed is put in its place before a cancellation is heard", "tests/integration/test_cancelled.py")
def _uninterrupted() -> None:
    from zcollection import portal

    async def directly(function: Any, /, *arguments: Any, **options: Any) -> Any:
        return await function(*arguments, **options)

    portal.uninterrupted.__code__ = directly.__code__


@step("of two who publish at once the second finds it done", f"{FILE}/test_publishing.py")
def _one_publisher() -> None:
    from zcollection_store_file import system

    system.lock_directory = nothing


@step(
    "a catalog is believed only where the log has what it was made from",
    "tests/kernel/test_restored.py::test_a_catalog_of_another_log_is_believed_by_nobody",
)
def _record_id() -> None:
    from zcollection.transaction.version import RecordId

    RecordId.is_of = lambda *_: True


@step("rows of another partition are told", "tests/integration/test_whose_partition.py")
def _limits() -> None:
    from zcollection.engine import read

    read._check_limits = nothing


@step("a change at a symbolic link is refused before it is committed", "tests/integration/test_links.py")
def _targets() -> None:
    from zcollection_store_file.store import FileStore

    FileStore.check_targets = nothing_later


@step("a collection exists once its first version does", "tests/kernel/test_first.py")
def _first_version() -> None:
    from zcollection.transaction.log import first

    async def none(*_: Any) -> None:
        return None

    first.committed_configuration = none


@step("what cannot be put in its place is named by those who come after", "tests/kernel/test_unplaced.py")
def _pending() -> None:
    from zcollection.transaction.log import commit_log

    commit_log._doubtful = lambda versions: {versions[-1].number} if versions else set()


@step(
    "a partition with new ones below it is taken apart",
    "tests/integration/test_repartition.py::test_a_catalog_from_before_is_read_with_the_log",
)
def _taken_apart() -> None:
    from zcollection.transaction.version import Version

    Version.above = frozenset()  # type: ignore[assignment]


@step(
    "what another attempt has staged is verified before it is believed",
    "tests/integration/test_repartition.py::test_what_is_not_whole_is_made_anew",
)
def _verified_stage() -> None:
    from zcollection.collection.maintain.verify import CheckedGroup, GroupCheck

    def nobody_looks(*_: object) -> Work[CheckedGroup]:
        yield from ()
        return CheckedGroup((), (), 0, {})

    GroupCheck.checked = nobody_looks  # type: ignore[assignment, method-assign]


@step(
    "what another attempt has staged is told by what it was made from",
    "tests/integration/test_repartition.py::test_what_was_staged_from_other_rows_is_not_taken",
)
def _told_by_sources() -> None:
    from zcollection.collection.write import repartition

    repartition.digest = lambda *what: str(what[2])
