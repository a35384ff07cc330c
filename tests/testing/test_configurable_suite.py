"""What all suites ask of what is stored by name and configuration passes what is sound, and finds each fault."""

import importlib
import itertools
import json
import threading
from typing import Any

import numpy as np
import pytest
from attrs import define, field, frozen
from suites import failing

from zcollection.plugin import MergeStrategy, RowPlan
from zcollection.testing.configurable import ConfigurableSuite

EXAMPLES = "test_examples_exist"
JSON = "test_configuration_round_trips_through_json"
NAME = "test_stored_form_is_restored"
UNKNOWN = "test_unknown_setting_is_rejected"
TYPES = "test_wrong_type_is_rejected"
PICKLES = "test_pickle_and_copy"
HASHES = "test_equal_objects_have_equal_hashes"
FROZEN = "test_objects_are_immutable"
OLDER = "test_stored_forms_of_older_releases_are_restored"

CHECKS = [name for name in vars(ConfigurableSuite) if name.startswith("test_")]
NUMBERS = itertools.count()


class Strategy(MergeStrategy):
    def rows(self, existing, inserted):
        return RowPlan(~np.arange(inserted.size))


@frozen
class Sound(Strategy):
    tolerance: float = 0.5
    names: tuple[str, ...] = ("time",)


@frozen
class TakesAnything(Strategy):
    tolerance: Any = 0.5


@frozen
class HoldsALock(Strategy):
    tolerance: float = 0.5
    lock: Any = field(factory=threading.Lock, init=False, eq=False, repr=False)


@frozen(eq=False)
class IsEqualToItselfAlone(Strategy):
    tolerance: float = 0.5


@frozen(eq=False)
class HashesByIdentity(Strategy):
    tolerance: float = 0.5

    def __eq__(self, other):
        return self.tolerance == other.tolerance

    def __hash__(self):
        return id(self)


@define(unsafe_hash=True)
class CanBeChanged(Strategy):
    tolerance: float = 0.5


class HasNoFields(Strategy):
    def __init__(self, **settings):
        self.settings = settings

    def __eq__(self, other):
        return self.settings == other.settings

    def __hash__(self):
        return 0


@frozen
class NobodyKnowsIt(Strategy):
    tolerance: float = 0.5


KNOWN = [Sound, TakesAnything, HoldsALock, IsEqualToItselfAlone, HashesByIdentity, CanBeChanged, HasNoFields]


@pytest.fixture
def found(register, tmp_path, monkeypatch):
    """Return which checks fail for examples, beside which an older release stored something."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for strategy in KNOWN:
        register(strategy)

    def failing_for(*examples, older=None):
        name = f"suite_of_tests_{next(NUMBERS)}"
        source = "from zcollection.testing.configurable import ConfigurableSuite\nclass Suite(ConfigurableSuite): ..."
        (tmp_path / f"{name}.py").write_text(source)
        if older is not None:
            (tmp_path / "golden").mkdir()
            (tmp_path / "golden" / "0.1.json").write_text(json.dumps([older]))
        importlib.invalidate_caches()
        suite = importlib.import_module(name).Suite
        suite.examples = examples
        return failing(suite, CHECKS)

    return failing_for


def stored(configuration, shown):
    return {"form": {"name": "sound", "configuration": configuration, "provided_by": None}, "repr": shown}


@pytest.mark.parametrize("older", [None, stored({}, "Sound(tolerance=0.5, names=('time',))")])
def test_what_is_sound_passes(found, older):
    assert found(Sound(), Sound(names=("cycle", "pass")), older=older) == set()


@pytest.mark.parametrize(
    ("examples", "check"),
    [
        ((TakesAnything(),), TYPES),
        ((HashesByIdentity(),), HASHES),
        ((Sound(), Sound()), HASHES),
        ((CanBeChanged(),), FROZEN),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value[0]).__name__,
)
def test_a_single_fault_is_found_by_the_one_check_that_is_there_for_it(examples, check, found):
    assert found(*examples) == {check}


@pytest.mark.parametrize(
    ("examples", "check"),
    [
        ((), EXAMPLES),
        ((NobodyKnowsIt(),), NAME),
        ((IsEqualToItselfAlone(),), JSON),
        ((HasNoFields(),), UNKNOWN),
        ((HoldsALock(),), PICKLES),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(type(item).__name__ for item in value),
)
def test_a_fault_of_many_consequences_is_found_by_the_check_that_is_there_for_it(examples, check, found):
    assert check in found(*examples)


@pytest.mark.parametrize(
    "older",
    [
        stored({"tolerance": 0.25}, "Sound(tolerance=0.5, names=('time',))"),
        stored({"width": 3}, "Sound(tolerance=0.5, names=('time',))"),
    ],
)
def test_what_is_no_longer_understood_is_found(found, older):
    assert found(Sound(), older=older) == {OLDER}
