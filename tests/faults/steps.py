"""The safety steps of the protocol: how each is disabled in the running code, and which tests must then fail."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from attrs import frozen
from mutations import nothing

from zcollection.engine.work import Work

COMMITS = "tests/kernel/test_commits.py"
TRANSACTIONS = "tests/kernel/test_transactions.py"
VACUUM = "tests/kernel/test_vacuum.py"
FROZEN = "tests/storage/test_frozen.py"
FILE = "plugins/store-file/tests"
IN_PLACE = "tests/storage/test_in_place.py"


@frozen
class Step:
    """A step of the protocol.

    Attributes
    ----------
    disable
        Disables it in the code of this process.
    tests
        The tests, as arguments of pytest; one of them must fail without the step.
    """

    disable: Callable[[], None]
    tests: tuple[str, ...]


STEPS: dict[str, Step] = {}


def step(name: str, *tests: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def decorate(disable: Callable[[], None]) -> Callable[[], None]:
        STEPS[name] = Step(disable, tests)
        return disable

    return decorate


async def nothing_later(*_: object, **__: object) -> None:
    """Do nothing, in place of an asynchronous function."""


@step("user code sees partitions of one version only", f"{COMMITS}::test_user_code_never_sees_a_mixture")
def _validated_snapshot() -> None:
    from zcollection.collection.partition_groups import GenerationCheck
    from zcollection.engine import read

    GenerationCheck.__call__ = nothing
    read.check_limits = nothing  # which would detect some of them


@step(
    "a writer checks whether others changed what it read",
    f"{TRANSACTIONS}::test_of_two_writers_of_one_partition_the_second_merges_again",
)
def _conflict_check() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    LogTransaction._check = nothing


@step(
    "a transaction reads its record back after an unknown response",
    f"{COMMITS}::test_a_lost_answer_neither_loses_nor_doubles_a_change",
)
def _read_back() -> None:
    from zcollection.model import documents
    from zcollection.transaction.log import commit_log

    async def believing(store: Any, version: Any) -> bool:
        data = documents.dump(version, kind="version")
        return await store.create(commit_log.record_key(version.number), data) == "created"

    commit_log.append = believing


@step(
    "a reader checks whether a newer version was committed meanwhile",
    f"{COMMITS}::test_a_query_is_of_one_version_whatever_is_committed_meanwhile",
)
def _outdated() -> None:
    from zcollection.transaction.log import snapshots

    async def never(*_: object) -> bool:
        return False

    snapshots.is_outdated = never


@step(
    "a query in the caller's thread checks whether a newer version was committed meanwhile",
    "tests/integration/test_at_once.py",
)
def _at_once() -> None:
    from zcollection.transaction.log import commit_log

    def always(*_: object) -> Work[bool]:
        yield from ()
        return True

    commit_log.being_newest = always


@step(
    "committed partitions are read from the staging area until they are published",
    f"{TRANSACTIONS}::test_what_is_committed_is_read_wherever_it_lies_and_the_next_writer_puts_it_in_place",
)
def _places() -> None:
    from zcollection.transaction.log import snapshots

    def in_place(*_: object) -> Work[dict[str, Any]]:
        yield from ()
        return {}

    snapshots._places = in_place


@step("parent directories are synchronised", f"{FILE}/test_durability.py")
def _directories() -> None:
    from zcollection_store_file import blocking

    blocking.sync_way = nothing


@step("an exchange is synchronised before the replaced directory is removed", f"{FILE}/test_durability.py")
def _swap() -> None:
    from zcollection_store_file import publishing

    publishing.Publication._sync = nothing


@step("a marker identifies the new directory", f"{FILE}/test_publishing.py")
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


@step(
    "a transaction that may be committed keeps its staging area",
    f"{COMMITS}::test_a_commit_of_which_nobody_knows_keeps_what_it_staged",
)
def _kept_stage() -> None:
    from zcollection.transaction.log.transaction import LogTransaction
    from zcollection.transaction.version import stage_of

    async def discard(self: Any) -> None:
        await self.store.delete([stage_of(self.id)])

    LogTransaction.discard = discard


@step(
    "a writer first publishes what a dead writer committed",
    f"{TRANSACTIONS}::test_what_is_committed_is_read_wherever_it_lies_and_the_next_writer_puts_it_in_place",
    f"{COMMITS}::test_wherever_a_writer_dies_readers_see_all_of_its_change_or_nothing",
)
def _settle() -> None:
    from zcollection.transaction.log import publication

    async def given_up(_: Any, changes: Any) -> Any:
        return publication.Unpublishable(tuple(change.number for change in changes))

    publication.publish_pending = given_up


@step(
    "a change is marked as published before its staging area is removed",
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
    "records are folded starting with the oldest",
    f"{VACUUM}::test_records_are_folded_without_a_gap_whatever_their_times_say",
)
def _oldest_first() -> None:
    from zcollection.transaction.log import folding

    folding.takewhile = filter


@step(
    "a commit without a lock is confirmed",
    f"{FROZEN}::test_what_it_acknowledges_is_there_and_nothing_of_others_is_lost",
)
def _confirmed() -> None:
    from zcollection.transaction.log import history

    async def believing(_store: object, _version: object) -> bool:
        return True

    history.is_committed = believing


@step("the newest record is never folded", f"{VACUUM}::test_a_vacuum_of_everything_leaves_a_collection_that_works")
def _newest_stays() -> None:
    from zcollection.transaction.log import vacuum

    write_checkpoint = vacuum.write_checkpoint

    async def beyond(*arguments: Any) -> int:
        return await write_checkpoint(*arguments) + 1

    vacuum.write_checkpoint = beyond


@step(
    "the record of the base version of a change must exist",
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


@step("a catalog contains only published partitions", f"{VACUUM}::test_a_checkpoint_is_of_what_lies_in_its_place")
def _published_checkpoint() -> None:
    from zcollection.transaction.index import catalog
    from zcollection.transaction.log import catalog_writing, snapshots

    async def write_checkpoint(store: Any, configuration: Any) -> int:
        taken = await snapshots.take(store, configuration)
        await catalog.save(store, taken.to_checkpoint(), in_segments=configuration.segments)
        return taken.version

    catalog_writing.write_checkpoint = write_checkpoint


@step(
    "a replacement is announced before it is committed",
    f"{COMMITS}::test_wherever_a_writer_dies_readers_see_all_of_its_change_or_nothing",
)
def _announcement() -> None:
    from zcollection.transaction.log import commit_log

    commit_log.announce = nothing_later


@step(
    "the checksum of a catalog is verified",
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
    "a lost record is detected", "tests/kernel/test_verify.py::test_the_newest_record_is_missed_where_its_mark_is_there"
)
def _lost_record() -> None:
    from zcollection.transaction.log import commit_log

    def nobody_looks(*_: object) -> Work[None]:
        yield from ()

    commit_log._checking_not_lost = nobody_looks


@step(
    "nothing of a replaced collection remains",
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


@step("an object at its final place is not overwritten", IN_PLACE)
def _create_only() -> None:
    from zcollection.engine import work

    async def putting(store: Any, objects: Any) -> bool:
        for key, data in objects.items():
            if await store.create(key, data) != "created":
                await store.put({key: data})
        return True

    work._created = putting


@step("a final place is claimed before anything else is written there", IN_PLACE)
def _claimed() -> None:
    from zcollection.transaction.log.in_place import InPlaceWriter

    before = InPlaceWriter.__init__

    def claimed(self: Any, *given: Any) -> None:
        before(self, *given)
        self._is_claimed = True

    InPlaceWriter.__init__ = claimed  # type: ignore[method-assign]


@step("a writer at a final place conflicts with any commit there", IN_PLACE)
def _depending() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    before = LogTransaction.add

    def add(self: Any, partition: Any) -> None:
        read = set(self._read)
        before(self, partition)
        self._read = read

    LogTransaction.add = add  # type: ignore[method-assign]


@step("a vacuum conflicts with changes of the places that it clears", IN_PLACE)
def _clearing() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    def clear(self: Any, path: str) -> None:
        self._cleared.append(path)

    LogTransaction.clear = clear  # type: ignore[method-assign]


@step("objects that a failed writer left at a final place stay announced", IN_PLACE)
def _announced() -> None:
    from zcollection.transaction.log import in_place

    in_place._is_occupied = nothing_later


@step(
    "a change runs in a task that is cancelled only at safe points",
    "tests/integration/test_cancelled.py",
    "tests/kernel/test_carried_out.py",
)
def _carried_out() -> None:
    from zcollection import portal

    async def directly(function: Any, /, *arguments: Any, **options: Any) -> Any:
        return await function(*arguments, **options)

    portal.run_change.__code__ = directly.__code__


@step("a committed change is published before a cancellation takes effect", "tests/integration/test_cancelled.py")
def _uninterrupted() -> None:
    from zcollection import portal

    async def directly(function: Any, /, *arguments: Any, **options: Any) -> Any:
        return await function(*arguments, **options)

    portal.uninterrupted.__code__ = directly.__code__


@step("of two concurrent publications of one change, the second does nothing", f"{FILE}/test_publishing.py")
def _one_publisher() -> None:
    from zcollection_store_file import system

    system.lock_directory = nothing


@step(
    "a catalog is used only if the log contains its record",
    "tests/kernel/test_restored.py::test_a_catalog_of_another_log_is_believed_by_nobody",
)
def _record_id() -> None:
    from zcollection.transaction.version import RecordId

    RecordId.is_of = lambda *_: True


@step("rows of another partition are detected", "tests/integration/test_whose_partition.py")
def _limits() -> None:
    from zcollection.engine import read

    read.check_limits = nothing


@step("a change at a symbolic link is rejected before the commit", "tests/integration/test_links.py")
def _targets() -> None:
    from zcollection_store_file.store import FileStore

    FileStore.check_targets = nothing_later


@step("a collection exists once its first version does", "tests/kernel/test_first.py")
def _first_version() -> None:
    from zcollection.transaction.log import first

    async def none(*_: Any) -> None:
        return None

    first.committed_configuration = none


@step("later writers report a change that cannot be published", "tests/kernel/test_unplaced.py")
def _pending() -> None:
    from zcollection.transaction.log import commit_log

    commit_log._possibly_unpublished = lambda versions: {versions[-1].number} if versions else set()


@step(
    "a partition with new partitions below it is removed",
    "tests/integration/test_repartition.py::test_a_catalog_from_before_is_read_with_the_log",
)
def _taken_apart() -> None:
    from zcollection.transaction.version import Version

    Version.above = frozenset()  # type: ignore[assignment]


@step(
    "partitions staged by an earlier attempt are verified before they are reused",
    "tests/integration/test_repartition.py::test_what_is_not_whole_is_made_anew",
)
def _verified_stage() -> None:
    from zcollection.collection.maintain.verify import CheckedGroup, GroupCheck

    def nobody_looks(*_: object) -> Work[CheckedGroup]:
        yield from ()
        return CheckedGroup((), (), 0, {})

    GroupCheck.checked = nobody_looks  # type: ignore[assignment, method-assign]


@step(
    "partitions staged by an earlier attempt are identified by their sources",
    "tests/integration/test_repartition.py::test_what_was_staged_from_other_rows_is_not_taken",
)
def _told_by_sources() -> None:
    from zcollection.collection.write import repartition

    repartition.digest = lambda *what: str(what[2])


# Older versions.

HISTORY = "tests/integration/test_history.py"
RACES = "tests/integration/test_history_races.py"
DISK = "tests/integration/test_history_disk.py"
SEGMENTS = "tests/integration/test_history_segments.py"
OLDER_VIEWS = "tests/integration/test_older_views.py"
OPENED = f"{HISTORY}::test_a_version_is_opened_by_its_number_or_its_tag"
DEAD = f"{RACES}::test_older_versions_are_whole_wherever_a_writer_has_died"


@step("replaced partitions are kept", OPENED)
def _kept_replaced() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    async def nothing_replaced(*_: object) -> dict[str, tuple[str, ...]]:
        return {}

    LogTransaction._replaced = nothing_replaced  # type: ignore[method-assign]


@step("dropped partitions are kept", OPENED)
def _kept_dropped() -> None:
    from zcollection.transaction.log import publication

    publication._dropped_and_kept = lambda _: {}


@step("a replaced partition is copied before anything is written to its place", DEAD)
def _kept_first() -> None:
    from zcollection.plugin import KeyStore

    keep, publish = KeyStore._keep, KeyStore.replace_all

    async def later(self: Any, replacements: Any, fence: Any) -> None:
        for item in replacements:
            names = [entry.key.removeprefix(item.target) async for entry in self.list(item.target, recursive=True)]
            KeyStore._keep = nothing_later  # type: ignore[method-assign]
            await publish(self, [item], fence)
            KeyStore._keep = keep  # type: ignore[method-assign]
            await keep(self, item, [name for name in names if not name.startswith(item.spared)], fence)

    KeyStore.replace_all = later  # type: ignore[method-assign, assignment]


@step("a kept partition is not overwritten with its successor", DEAD)
def _kept_once() -> None:
    from zcollection.contracts import store
    from zcollection.plugin import KeyStore

    async def keep(self: Any, item: Any, names: Any, fence: Any) -> None:
        await self.copy([(item.target + name, item.kept + name) for name in sorted(names, key=store._DOCUMENT.__eq__)])

    KeyStore._keep = keep  # type: ignore[method-assign]


@step(
    "a group that is being replaced is identified by its stamp",
    f"{RACES}::test_an_older_version_is_whole_where_a_writer_has_died_between_swap_and_rename",
)
def _told_by_stamp() -> None:
    from zcollection.transaction.log import past

    past._is_of = lambda document, _: document is not None


@step("a partition that is being replaced is looked up in its place and in the staging area", DEAD)
def _looked_for() -> None:
    from zcollection.transaction.log.past import PastVersioning

    async def found(*_: object) -> dict[str, Any]:
        return {}

    PastVersioning._found = found  # type: ignore[method-assign, assignment]


@step(
    "a vacuum lists kept partitions before it reads the versions",
    f"{HISTORY}::test_a_vacuum_removes_nothing_that_another_writer_keeps_meanwhile",
)
def _listed_first() -> None:
    from types import SimpleNamespace

    from zcollection.transaction.log import history, vacuum

    forget = vacuum._remove_unneeded_groups

    async def reading_first(store: Any) -> tuple[int, int]:
        versions = await history.all_versions(store)

        async def known(_: object) -> Any:
            return versions

        vacuum.history = SimpleNamespace(all_versions=known)  # type: ignore[assignment, attr-defined]
        try:
            return await forget(store)
        finally:
            vacuum.history = history  # type: ignore[attr-defined]

    vacuum._remove_unneeded_groups = reading_first


@step(
    "a vacuum keeps what readable versions need",
    f"{HISTORY}::test_a_vacuum_leaves_what_versions_need_that_are_kept",
)
def _needed() -> None:
    from zcollection.transaction.log import vacuum

    vacuum.needed = lambda *_: set()


@step(
    "a vacuum records which versions it removes before it removes them",
    f"{RACES}::test_a_version_that_is_tagged_during_a_vacuum_is_not_forgotten",
)
def _forgotten_by_record() -> None:
    from zcollection.transaction.log.transaction import LogTransaction

    check = LogTransaction._check

    def no_conflict(self: Any, newer: Any) -> None:
        if self.operation != "vacuum":
            check(self, newer)

    LogTransaction._check = no_conflict  # type: ignore[method-assign]


@step(
    "a change conflicts with a concurrent tag",
    f"{RACES}::test_a_change_that_began_before_a_version_was_tagged_keeps_what_that_needs",
)
def _tagged_meanwhile() -> None:
    from attrs import evolve

    from zcollection.transaction.log.transaction import LogTransaction

    check = LogTransaction._check

    def blind(self: Any, newer: Any) -> None:
        check(self, [evolve(version, schema=None) for version in newer])

    LogTransaction._check = blind  # type: ignore[method-assign]


def _look_only_when_opened() -> None:
    """Let nobody look again whether a version is kept, once it was opened."""
    from zcollection.transaction.log import past

    resolved, check = past.resolved, past.check_kept

    async def looking_once(*arguments: Any) -> Any:
        past.check_kept = check
        try:
            return await resolved(*arguments)
        finally:
            past.check_kept = nothing

    past.resolved = looking_once
    past.check_kept = nothing


@step(
    "a version is readable when its tag is committed",
    f"{RACES}::test_a_version_that_others_replace_while_it_is_tagged_gets_no_tag",
)
def _readable_tagged() -> None:
    _look_only_when_opened()  # it is looked at again at the commit, by the same name


@step(
    "a version that is being tagged is checked until the tag is committed",
    f"{RACES}::test_a_version_that_others_replace_while_it_is_tagged_gets_no_tag",
)
def _watched_tagged() -> None:
    from zcollection.transaction.change import Transaction

    watch = Transaction.watch
    Transaction.watch = lambda self, *rest: None if self.operation == "tag" else watch(self, *rest)  # type: ignore[method-assign]


@step(
    "a rollback checks whether others wrote meanwhile",
    f"{RACES}::test_a_rollback_puts_back_all_of_a_version_whatever_others_insert_meanwhile",
)
def _watched_rollback() -> None:
    from zcollection.transaction.change import Transaction

    watch = Transaction.watch
    Transaction.watch = lambda self, *rest: None if self.operation == "rollback" else watch(self, *rest)  # type: ignore[method-assign]


@step(
    "a reader of an older version checks whether it is still kept",
    f"{HISTORY}::test_who_reads_what_a_vacuum_has_removed_is_told_so",
)
def _still_kept() -> None:
    _look_only_when_opened()


@step(
    "a reader of an older version checks whether it was moved meanwhile",
    f"{OLDER_VIEWS}::test_who_reads_an_older_version_while_it_is_replaced_reads_it_whole",
)
def _moved_meanwhile() -> None:
    from zcollection.transaction.log.past import PastVersioning

    async def never(*_: object) -> bool:
        return False

    PastVersioning.is_outdated = never  # type: ignore[method-assign, assignment]


@step(
    "with tags alone, the newest tagged version is kept",
    f"{DISK}::test_with_tags_alone_what_they_need_is_kept_and_nothing_else",
)
def _newest_tag() -> None:
    from zcollection.transaction.retention import Retention

    tagged = Retention.tagged.fget  # type: ignore[attr-defined]
    from zcollection.transaction.log.transaction import LogTransaction

    of_newest = LogTransaction._tagged

    async def of_oldest(self: Any, paths: Any) -> Any:
        Retention.tagged = property(lambda it: dict([min(tagged(it).items(), key=lambda item: item[1])]))  # type: ignore[method-assign, assignment]
        try:
            return await of_newest(self, paths)
        finally:
            Retention.tagged = property(tagged)  # type: ignore[method-assign, assignment]

    LogTransaction._tagged = of_oldest  # type: ignore[method-assign]


@step(
    "a retention begins with the version that it creates",
    f"{DISK}::test_versions_that_were_kept_are_refused_once_nothing_is_kept",
)
def _begins() -> None:
    from zcollection.transaction.retention import Retention

    Retention.keeps_recent = property(lambda it: it.since is not None)  # type: ignore[method-assign, assignment]


@step(
    "a vacuum keeps segments that checkpoints refer to",
    f"{SEGMENTS}::test_a_vacuum_leaves_the_segments_of_what_is_kept_and_no_other",
)
def _named_segments() -> None:
    from zcollection.transaction.log import checkpoints

    async def none(_: object) -> set[str]:
        return set()

    checkpoints._named_segments = none


@step(
    "a catalog keeps segments that checkpoints refer to",
    f"{SEGMENTS}::test_a_vacuum_leaves_the_segments_of_what_is_kept_and_no_other",
)
def _left_segments() -> None:
    from zcollection.transaction.index import catalog

    save = catalog.save

    async def removing(*arguments: Any, **options: Any) -> None:
        await save(*arguments, **options | {"removes": True})

    catalog.save = removing


@step(
    "if a segment of an older version is lost, the records are read",
    f"{SEGMENTS}::test_where_a_segment_of_an_older_version_is_lost_its_records_say_the_same",
)
def _lost_segments() -> None:
    from zcollection.transaction.log import past

    class NeverError(Exception):
        pass

    past.SegmentError = NeverError  # type: ignore[misc, assignment]
