"""The suite of stores passes a sound store, and each of its checks finds a fault of its kind."""

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

OPENING = "test_opening_a_missing_store_creates_nothing"
AT_ONCE = "test_opening_at_once_does_not_wait"
READ_ONLY = "test_a_read_only_store_rejects_every_write"
READ = "test_written_objects_are_read"
LIMITED = "test_reads_are_limited_in_size"
RANGES = "test_ranges_are_slices"
WHOLE = "test_a_reader_never_sees_part_of_an_object"
CREATED = "test_a_key_is_created_once"
SORTED = "test_a_listing_is_sorted_by_key"
AFTER = "test_a_listing_starts_after_a_key"
ENTRY = "test_an_entry_has_a_time_and_an_etag"
COPY = "test_a_copy_is_independent_of_its_source"
NO_SOURCE = "test_copying_a_missing_object_is_an_error"
DELETED = "test_deleting_removes_only_the_given_keys"
LEAVING = "test_a_key_outside_the_store_is_rejected"
FLUSH = "test_flushing_changes_nothing"
DOCUMENT = "test_a_document_is_loaded_by_its_name"
BLOCKING = "test_blocking_access_agrees_with_asynchronous_access"
PUBLISHED = "test_a_staged_group_is_published_at_a_free_target"
REPLACED = "test_a_staged_group_replaces_the_existing_one"
AGAIN = "test_publishing_again_changes_nothing"
STAGED_AGAIN = "test_a_group_can_be_staged_and_published_again"
REMOVED_IN_PART = "test_a_staged_group_without_its_document_replaces_no_group"
INTERRUPTED = "test_an_interrupted_publication_is_completed_by_another"
UNPUBLISHED = "test_unpublishing_removes_all_of_a_group"
REPLACED_IS_KEPT = "test_a_replaced_group_is_kept"
REMOVED_IS_KEPT = "test_a_removed_group_is_kept"
UNPUBLISHED_AGAIN = "test_unpublishing_again_changes_nothing"
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
ZARR = "test_zarr_reads_the_store"
CREDENTIALS = "test_errors_show_the_url_and_no_credential"

CHECKS = sorted({name for base in KeyStoreSuite.__mro__ for name in vars(base) if name.startswith("test_")})


HASTY, PATIENT = 0.3, 60
"""Time limits, in seconds, of a check that should fail, and of one that should pass, which may take long on a busy machine."""


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
    (ReadsWhateverThereIs, LIMITED),
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
    (LeavesWhatIsNested, UNPUBLISHED),
    (KeepsWhatItPublishes, REPLACED_IS_KEPT),
    (ForgetsWhatItTakesAway, REMOVED_IS_KEPT),
    (NeedsSomethingToTakeAway, UNPUBLISHED_AGAIN),
    (ClaimsToCrossProcesses, REOPENED),
    (ClaimsToCrossProcesses, PROCESSES),
    (ClaimsToCrossProcesses, LOCK_PROCESSES),
    (LocksForEver, LOCK_DEATH),
    (ServesOneLoop, LOOPS),
    (BlocksItsLoop, LOCK_TASKS),
    (BlocksItsLoop, LOCK_THREADS),
]


@pytest.mark.parametrize(("store", "check"), FOUND_BY_ONE_CHECK)
def test_a_fault_with_one_effect_is_found_by_exactly_one_check(store, check, tmp_path):
    assert with_outcome("failed", outcomes(store, tmp_path, fails=check)) == {check}


@pytest.mark.parametrize(("store", "check"), FOUND_BY_SEVERAL_CHECKS)
def test_a_fault_with_several_effects_is_found_by_its_check(store, check, tmp_path):
    assert outcome(getattr(suite_of(store), check), tmp_path / "checked") == "failed"


def test_every_check_finds_a_fault():
    assert {check for _, check in FOUND_BY_ONE_CHECK + FOUND_BY_SEVERAL_CHECKS} == set(CHECKS)


def test_a_suite_without_urls_raises_an_error(tmp_path):
    with pytest.raises(NotImplementedError, match=r"url\(folder\)"):
        KeyStoreSuite().url(tmp_path)
