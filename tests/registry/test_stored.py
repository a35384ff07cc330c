import fakes
import numpy as np
import pytest
from attrs import field, frozen

from zcollection.errors import PluginConfigurationError, UnknownPluginError
from zcollection.registry import stored
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import Registry
from zcollection.registry.stored import StoredForm


@frozen
class Inner:
    depth: int


@frozen
class Rich(fakes.Append):
    """A strategy with a field of each kind that can be stored."""

    text: str = "a"
    number: float = 1.5
    count: int = 2
    yes: bool = True
    nothing: str | None = None
    duration: np.timedelta64 | int | None = field(default=np.timedelta64(3, "s"))
    day: np.datetime64 | None = field(default=np.datetime64("2024-01-01"))
    names: tuple[str, ...] = ("x", "y")
    inner: Inner = Inner(3)
    table: dict[str, int] = field(factory=lambda: {"a": 1}, hash=False)


@pytest.fixture
def registry():
    made = Registry([])
    made.register(fakes)
    made.register(Rich)
    return made


def test_a_strategy_is_stored_by_name_and_settings_and_no_import_path(registry):
    form = stored.store(fakes.Quotient(("time",), divisor=5), registry=registry)
    assert form == StoredForm("quotient", {"variables": ["time"], "divisor": 5, "dimension": None}, None)
    assert "fakes" not in repr(form)


def test_every_kind_of_field_survives_a_round_trip(registry):
    import json

    form = stored.store(Rich(), registry=registry)
    again = StoredForm(form.name, json.loads(json.dumps(form.configuration)), None)
    assert stored.restore(Family.MERGE, again, registry=registry) == Rich()


def test_settings_may_be_left_to_their_defaults(registry):
    assert stored.restore(Family.MERGE, StoredForm("rich"), registry=registry) == Rich()


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"colour": 1}, "'rich' has no setting 'colour'; accepted: 'text', 'number'"),
        ({"txt": "a"}, "no setting 'txt'.*did you mean 'text'"),
        ({"text": 5}, r"5 is a int; accepted: str.*text"),
        ({"count": "5"}, "count"),
        ({"count": True}, "count"),
        ({"count": 1.5}, "count"),
        ({"yes": 1}, "yes"),
        ({"names": "xy"}, "'xy' is a str; accepted: a list.*names"),
        ({"names": ["x", 1]}, "names"),
        ({"duration": "3s"}, "duration"),
        ({"day": 5}, "day"),
        ({"inner": {"deep": 1}}, "inner"),
        ({"table": {"a": "b"}}, "table"),
    ],
)
def test_an_invalid_setting_is_rejected_by_name(registry, configuration, message):
    with pytest.raises(PluginConfigurationError, match=message):
        stored.restore(Family.MERGE, StoredForm("rich", configuration), registry=registry)


def test_an_error_of_the_class_is_a_configuration_error(registry):
    @frozen
    class Picky(fakes.Append):
        size: int = field()

        @size.validator
        def _check(self, attribute, value):
            if value < 1:
                raise ValueError(f"size {value}; accepted: at least 1")

    registry.register(Picky)
    with pytest.raises(PluginConfigurationError, match="size 0; accepted: at least 1"):
        stored.restore(Family.MERGE, StoredForm("picky", {"size": 0}), registry=registry)
    with pytest.raises(PluginConfigurationError, match="size"):
        stored.restore(Family.MERGE, StoredForm("picky", {}), registry=registry)


def test_a_missing_provider_is_quoted_from_the_file(registry):
    with pytest.raises(UnknownPluginError, match="provided by hexagons>=1.0"):
        stored.restore(Family.PARTITIONING, StoredForm("hexagon", {}, "hexagons>=1.0"), registry=registry)
