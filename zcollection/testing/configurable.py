"""The conformance suite of objects that are stored by name and configuration."""

import copy
import inspect
import json
import pickle
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from zcollection.contracts.configurable import Configurable
from zcollection.errors import PluginConfigurationError
from zcollection.registry import stored
from zcollection.registry.hookspecs import Family
from zcollection.registry.stored import StoredForm
from zcollection.testing.suite import Suite, skip_unless

_UNKNOWN = "no_such_setting"


class ConfigurableSuite(Suite):
    """Conformance of the stored form; the base class of the suites of partitionings, merge strategies and computations.

    Golden files, ``golden/<release>.json`` next to the test file, ensure that the stored forms of older releases stay
    readable. Each is a list of objects with the stored form (``form``) and the ``repr`` of the restored object.

    Attributes
    ----------
    examples
        Objects to check, one for each configuration that behaves differently.
    """

    examples: ClassVar[tuple[Any, ...]] = ()

    def test_examples_exist(self) -> None:
        """There is at least one example; without examples, the suite would check nothing."""
        assert self.examples, f"{type(self).__name__} has no examples"
        assert all(isinstance(example, Configurable) for example in self.examples)

    def test_configuration_round_trips_through_json(self) -> None:
        """An object restored from its configuration as JSON is equal."""
        for example in self.examples:
            text = json.dumps(stored.configuration(example))
            assert _configured(example, json.loads(text)) == example

    def test_stored_form_is_restored(self) -> None:
        """The stored name is provided by the distribution, and leads back to the class."""
        for example in self.examples:
            assert stored.restore(_family(example), stored.store(example)) == example

    def test_unknown_setting_is_rejected(self) -> None:
        """An unknown setting, for instance of a later release, is an error and is not ignored."""
        for example in self.examples:
            with pytest.raises(PluginConfigurationError, match=_UNKNOWN):
                _configured(example, {**stored.configuration(example), _UNKNOWN: 1})

    def test_wrong_type_is_rejected(self) -> None:
        """No value is coerced: a string is not accepted for a number, nor for a sequence."""
        for example in self.examples:
            configuration = stored.configuration(example)
            for name, value in configuration.items():
                for wrong in _of_other_types(value):
                    with pytest.raises(PluginConfigurationError, match=name):
                        _configured(example, {**configuration, name: wrong})

    def test_pickle_and_copy(self) -> None:
        """Objects can be pickled, for other processes, and copied."""
        for example in self.examples:
            assert pickle.loads(pickle.dumps(example)) == example  # noqa: S301 - pickled in this line
            assert copy.deepcopy(example) == example

    def test_equal_objects_have_equal_hashes(self) -> None:
        """Objects with equal configurations have equal hashes, and no two examples are equal."""
        for example in self.examples:
            twin = _configured(example, stored.configuration(example))
            assert hash(twin) == hash(example)
        for one, other in combinations(self.examples, 2):
            assert one != other, f"the examples {one!r} and {other!r} are equal"

    def test_objects_are_immutable(self) -> None:
        """Objects are immutable, because threads share them."""
        for example in self.examples:
            for field in attrs.fields(type(example)):
                with pytest.raises(attrs.exceptions.FrozenInstanceError):
                    setattr(example, field.name, getattr(example, field.name))

    def test_stored_forms_of_older_releases_are_restored(self) -> None:
        """The stored forms in the golden files can be restored."""
        files = sorted(Path(inspect.getfile(type(self))).parent.glob("golden/*.json"))
        forms = json.dumps([_golden(example) for example in self.examples], indent=1)
        skip_unless(files, f"there is no golden/<release>.json next to the test file; it could contain {forms}")
        for entry in _entries(files):
            form = StoredForm(**entry["form"])
            assert repr(stored.restore(_family(self.examples[0]), form)) == entry["repr"]


def _family(example: Configurable) -> Family:
    return next(family for family in Family if isinstance(example, family.contract))


def _configured(example: Configurable, configuration: dict[str, Any]) -> Any:
    return stored.configure(type(example), configuration, what=type(example).__name__)


def _of_other_types(value: object) -> Iterator[object]:
    yield {"no such": ["value"]}
    if isinstance(value, list | dict):
        yield "text"
    if isinstance(value, str):
        yield 5
    if isinstance(value, int | float):
        yield "5"


def _golden(example: Configurable) -> dict[str, Any]:
    return {"form": attrs.asdict(stored.store(example)), "repr": repr(example)}


def _entries(files: list[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from json.loads(file.read_text(encoding="utf-8"))
