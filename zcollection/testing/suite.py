"""What every conformance suite is: checks that a plugin's author runs, and cannot weaken."""

from typing import Any

import pytest
from hypothesis import settings


class Suite:
    """Base of the conformance suites.

    A plugin's test file subclasses one and says what to check; the checks are the suite's, and replacing one of them is
    an error. More tests, under other names, are welcome.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        checks = {name for base in cls.__mro__[1:] for name in vars(base) if name.startswith("test_")}
        for name in sorted(checks & vars(cls).keys()):
            message = f"{cls.__name__} replaces the check {name} of its suite; accepted: tests under names of their own"
            raise TypeError(message)


def a_quarter() -> settings:
    """Return settings of Hypothesis: a quarter of the examples of the loaded profile, 25 by default, however long one takes.

    Each check of a suite tries them once for each of the plugin's examples.
    """
    return settings(max_examples=max(settings().max_examples // 4, 1), deadline=None)


def skip_unless(condition: object, reason: str) -> None:
    """Skip the running check, with a reason, where the plugin does not declare what it is about."""
    if not condition:
        pytest.skip(reason)
