"""The conformance suite of objects that must be deterministic: across processes, times and earlier calls."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from zcollection.testing.configurable import ConfigurableSuite
from zcollection.testing.elsewhere import AHEAD, Origin, elsewhere, origin_of, twin_of
from zcollection.testing.suite import skip_unless

_CALLS = 200


class RepeatableSuite(ConfigurableSuite):
    """Conformance of objects whose results must depend only on their configuration and input; a base of other suites.

    Many processes write to a collection over many years. If a result depended on random numbers, the time, the process or
    earlier calls, rows would be stored in partitions where queries do not find them.
    """

    def test_results_are_equal_in_another_process(self) -> None:
        """An example restored in a new process, in which strings have other hashes, returns the same results."""
        for example, origin in self._origins():
            inputs = self._drawn(example)
            here = [self._function()(example, item) for item in inputs]
            there = elsewhere(origin, self._function(), inputs[::-1])[::-1]
            assert all(map(self._are_same, here, there)), (
                f"{example!r} returns a different result in another process; accepted: results that depend only on its configuration "
                f"and its input; do not use hash(), id(), random numbers or the state of earlier calls"
            )

    def test_results_do_not_depend_on_the_time(self) -> None:
        """A process whose clocks are forty years ahead returns the same results."""
        for example, origin in self._origins():
            inputs = self._drawn(example)
            today = elsewhere(origin, self._function(), inputs)
            try:
                later = elsewhere(origin, self._function(), inputs, ahead=AHEAD)
            except RuntimeError as error:
                skip_unless(condition=False, reason=f"it does not run with changed clocks: {error}")
            assert all(map(self._are_same, today, later)), (
                f"{example!r} returns a different result when the clocks are ahead; accepted: results that depend only on its "
                f"configuration and its input; do not read the current time"
            )

    def test_results_do_not_depend_on_earlier_calls(self) -> None:
        """An equal object returns the same results in another order of calls, and the example in repeated calls."""
        for example in self.examples:
            inputs, twin = self._drawn(example), twin_of(example)
            first = [self._function()(example, item) for item in inputs]
            for _ in range(_CALLS):
                assert self._are_same(self._function()(example, inputs[0]), first[0]), (
                    "a repeated call returns a different result"
                )
            if twin is not None:
                again = [self._function()(twin, item) for item in inputs[::-1]][::-1]
                assert all(map(self._are_same, first, again)), "the result depends on earlier calls"

    def _origins(self) -> list[tuple[Any, Origin]]:
        found = [(example, origin) for example in self.examples if (origin := origin_of(example)) is not None]
        skip_unless(found, "another process cannot import the classes of the examples, or restore the examples")
        return found

    def _drawn(self, example: Any) -> list[Any]:
        """Return inputs drawn from `_inputs`."""
        found: list[Any] = []

        @settings(
            max_examples=25,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(item=self._inputs(example))
        def collect(item: Any) -> None:
            found.append(item)

        collect()
        return found

    @abstractmethod
    def _function(self) -> Callable[..., Any]:
        """Return a module-level function that returns the result of an example for an input."""

    @abstractmethod
    def _inputs(self, example: Any) -> st.SearchStrategy[Any]:
        """Return the Hypothesis strategy for inputs of an example."""

    @staticmethod
    def _are_same(left: Any, right: Any) -> bool:
        return bool(left == right)
