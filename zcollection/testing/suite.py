"""The base class of the conformance suites, whose checks a subclass cannot replace."""

from typing import Any

import pytest
from hypothesis import settings


class Suite:
    """Base class of the conformance suites.

    A test file of a plugin subclasses a suite and sets its attributes. A subclass that replaces a check raises an error;
    it can add tests under other names.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        checks = {name for base in cls.__mro__[1:] for name in vars(base) if name.startswith("test_")}
        for name in sorted(checks & vars(cls).keys()):
            message = f"{cls.__name__} replaces the check {name} of its suite; accepted: tests with other names"
            raise TypeError(message)


def a_quarter() -> settings:
    """Return settings of Hypothesis: a quarter of the examples of the loaded profile, 25 by default, without a deadline.

    Each check of a suite runs this number of Hypothesis examples for each of the plugin's examples.
    """
    return settings(max_examples=max(settings().max_examples // 4, 1), deadline=None)


def skip_unless(condition: object, reason: str) -> None:
    """Skip the running check, with a reason, unless the plugin declares the property that it tests."""
    if not condition:
        pytest.skip(reason)
