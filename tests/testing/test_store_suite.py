"""The suite of stores passes what is sound, and each of its checks finds the fault that it is there for."""

import pytest
from broken_stores import (
    AddsToWhatIsThere,
    AsksItsLoopInThreads,
    BlocksItsLoop,
    CannotFlushNothing,
    ClaimsToCrossProcesses,
    CopiesByReference,
    CopiesWhileReading,
    CreatesInPlaceOfWhatExists,
    DeletesWhatStartsAlike,
    ForgetsItsModeWhenPickled,
    ForgetsWhatItTakesAway,
    HasOneEtagForAll,
    IncludesTheEndOfARange,
    KeepsItsLockAfterAnError,
    KeepsWhatItPublishes,
    LeavesWhatIsNested,
    LetsTasksOfAThreadIn,
    ListsTheKeyThatItGoesOnAfter,
    LocksEachThreadForItself,
    LocksForEver,
    LooksBeforeItCreates,
    LosesItsDocuments,
    MarksWhatItOpens,
    MovesKeyByKey,
    NeedsSomethingToTakeAway,
    PassesOverMissingSources,
    Plain,
    PublishesOnceForEver,
    PublishesWhatIsLeft,
    PublishesWhatLiesDirectlyBelow,
    ReadsABatchInOrderOfItsKeys,
    ReadsOutsideInThreads,
    ReadsWhateverThereIs,
    ReadsWholeObjectsInThreads,
    RemembersDeletedPrefixes,
    ServesOneLoop,
    ShowsZarrAnotherPlace,
    SortsByPartsOfKeys,
    SwapsEveryTime,
    TellsWhereItIs,
    Tiny,
    WaitsWhileItOpens,
    WritesInTwoSteps,
    WritesWhileReadingInThreads,
)
from suites import outcome, with_outcome

from zcollection.testing.store import KeyStoreSuite

OPENING = "test_opening_what_is_missing_creates_nothing"
AT_ONCE = "test_opening_at_once_waits_for_nothing"
READ_ONLY = "test_a_store_open_for_reading_refuses_every_write"
READ = "test_what_is_written_is_read"
BELIEVED = "test_no_more_is_read_than_is_believed"
RANGES = "test_ranges_are_slices"
WHOLE = "test_a_reader_never_sees_part_of_an_object"
CREATED = "test_a_key_is_created_once"
SORTED = "test_a_listing_is_sorted_by_key"
AFTER = "test_a_listing_goes_on_after_a_key"
ENTRY = "test_an_entry_says_when_and_what"
COPY = "test_a_copy_is_an_object_of_its_own"
NO_SOURCE = "test_copying_what_is_missing_is_an_error"
DELETED = "test_deleting_takes_what_is_named"
LEAVING = "test_a_key_that_leaves_the_store_is_refused"
FLUSH = "test_flushing_changes_nothing"
DOCUMENT = "test_a_document_is_loaded_by_its_name"
BLOCKING = "test_blocking_access_is_the_same_access"
PUBLISHED = "test_a_staged_group_is_published_where_nothing_lies"
REPLACED = "test_a_staged_group_replaces_the_one_that_is_there"
AGAIN = "test_publishing_again_changes_nothing"
STAGED_AGAIN = "test_what_is_staged_again_is_published_again"
REMOVED_IN_PART = "test_a_stage_without_its_document_replaces_no_group"
INTERRUPTED = "test_an_interrupted_publication_is_completed_by_another"
TAKEN_AWAY = "test_nothing_is_left_of_what_is_taken_away"
REPLACED_IS_KEPT = "test_what_is_replaced_is_kept"
TAKEN_IS_KEPT = "test_what_is_taken_away_is_kept"
TAKEN_AGAIN = "test_taking_away_again_changes_nothing"
PICKLE = "test_a_pickled_store_is_the_same_store"
REOPENED = "test_a_pickled_store_reopens_in_another_process"
LOOPS = "test_a_store_serves_several_event_loops"
THREADS = "test_of_several_threads_one_creates_a_key"
PROCESSES = "test_of_several_processes_one_creates_a_key"
LOCK_TASKS = "test_the_lock_excludes_other_tasks"
LOCK_ERROR = "test_the_lock_is_released_by_an_error"
LOCK_THREADS = "test_the_lock_excludes_other_threads"
LOCK_PROCESSES = "test_the_lock_excludes_other_processes"
LOCK_DEATH = "test_the_lock_is_released_when_its_holder_dies"
MACHINE = "test_any_sequence_of_operations_agrees_with_a_dictionary"
ZARR = "test_zarr_reads_what_lies_in_the_store"
CREDENTIALS = "test_errors_show_the_url_and_no_credential"

CHECKS = sorted({name for base in KeyStoreSuite.__mro__ for name in vars(base) if name.startswith("test_")})


HASTY, PATIENT = 0.3, 60
"""Seconds for which a check waits that is to fail, and one that is to pass: on a busy machine it takes its time."""


def suite_of(store, seconds=HASTY):
    class Checked(KeyStoreSuite):
        store_class = store
        patience = seconds

        def url(self, folder):
            return f"tiny://{folder}"

    return Checked()


def outcomes(store, folder, fails=None):
    return {
        name: outcome(getattr(suite_of(store, HASTY if name == fails else PATIENT), name), folder / name)
        for name in CHECKS
    }


OF_PROCESSES = {REOPENED, PROCESSES, LOCK_PROCESSES, LOCK_DEATH}
OF_LOCKS = {name for name in CHECKS if name.startswith("test_the_lock_")}


@pytest.mark.parametrize(
    ("store", "skipped"), [(Tiny, OF_PROCESSES), (Plain, OF_PROCESSES | OF_LOCKS | {BLOCKING, AT_ONCE})]
)
def test_a_sound_store_passes_and_skips_what_it_does_not_declare(store, skipped, tmp_path):
    found = outcomes(store, tmp_path)
    assert with_outcome("failed", found) == set()
    assert with_outcome("skipped", found) == skipped


FOUND_BY_ONE_CHECK = [
    (AsksItsLoopInThreads, BLOCKING),
    (WaitsWhileItOpens, AT_ONCE),
    (CopiesWhileReading, READ_ONLY),
    (WritesWhileReadingInThreads, READ_ONLY),
    (WritesInTwoSteps, WHOLE),
    (HasOneEtagForAll, ENTRY),
    (ReadsOutsideInThreads, LEAVING),
    (CannotFlushNothing, FLUSH),
    (LosesItsDocuments, DOCUMENT),
    (ReadsWholeObjectsInThreads, BLOCKING),
    (ForgetsItsModeWhenPickled, PICKLE),
    (LooksBeforeItCreates, THREADS),
    (LetsTasksOfAThreadIn, LOCK_TASKS),
    (KeepsItsLockAfterAnError, LOCK_ERROR),
    (LocksEachThreadForItself, LOCK_THREADS),
    (RemembersDeletedPrefixes, MACHINE),
    (ShowsZarrAnotherPlace, ZARR),
    (TellsWhereItIs, CREDENTIALS),
]

FOUND_BY_SEVERAL_CHECKS = [
    (MarksWhatItOpens, OPENING),
    (ReadsABatchInOrderOfItsKeys, READ),
    (IncludesTheEndOfARange, RANGES),
    (ReadsWhateverThereIs, BELIEVED),
    (CreatesInPlaceOfWhatExists, CREATED),
    (SortsByPartsOfKeys, SORTED),
    (ListsTheKeyThatItGoesOnAfter, AFTER),
    (CopiesByReference, COPY),
    (PassesOverMissingSources, NO_SOURCE),
    (DeletesWhatStartsAlike, DELETED),
    (PublishesWhatLiesDirectlyBelow, PUBLISHED),
    (AddsToWhatIsThere, REPLACED),
    (SwapsEveryTime, AGAIN),
    (PublishesOnceForEver, STAGED_AGAIN),
    (PublishesWhatIsLeft, REMOVED_IN_PART),
    (MovesKeyByKey, INTERRUPTED),
    (LeavesWhatIsNested, TAKEN_AWAY),
    (KeepsWhatItPublishes, REPLACED_IS_KEPT),
    (ForgetsWhatItTakesAway, TAKEN_IS_KEPT),
    (NeedsSomethingToTakeAway, TAKEN_AGAIN),
    (ClaimsToCrossProcesses, REOPENED),
    (ClaimsToCrossProcesses, PROCESSES),
    (ClaimsToCrossProcesses, LOCK_PROCESSES),
    (LocksForEver, LOCK_DEATH),
    (ServesOneLoop, LOOPS),
    (BlocksItsLoop, LOCK_TASKS),
    (BlocksItsLoop, LOCK_THREADS),
]


@pytest.mark.parametrize(("store", "check"), FOUND_BY_ONE_CHECK)
def test_a_single_fault_is_found_by_the_one_check_that_is_there_for_it(store, check, tmp_path):
    assert with_outcome("failed", outcomes(store, tmp_path, fails=check)) == {check}


@pytest.mark.parametrize(("store", "check"), FOUND_BY_SEVERAL_CHECKS)
def test_a_fault_of_many_consequences_is_found_by_the_check_that_is_there_for_it(store, check, tmp_path):
    assert outcome(getattr(suite_of(store), check), tmp_path / "checked") == "failed"


def test_every_check_is_there_for_a_fault():
    assert {check for _, check in FOUND_BY_ONE_CHECK + FOUND_BY_SEVERAL_CHECKS} == set(CHECKS)


def test_a_suite_that_does_not_say_where_its_stores_lie_says_what_is_missing(tmp_path):
    with pytest.raises(NotImplementedError, match=r"url\(folder\)"):
        KeyStoreSuite().url(tmp_path)
