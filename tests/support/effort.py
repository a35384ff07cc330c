"""How many examples Hypothesis tries.

The README's command tries few, and always the same ones. `--hypothesis-profile=thorough` tries many, and others every time.
"""

import itertools

import pytest
from hypothesis import settings
from pairs import pairwise

QUICK, THOROUGH = "quick", "thorough"
SHARE, LEAST = 5, 5
"""Quick is a fifth of what is thorough, but some."""

settings.register_profile(
    QUICK, deadline=None, derandomize=True, max_examples=25
)  # how long an example takes decides nothing
settings.register_profile(THOROUGH, deadline=None, print_blob=True)
settings.load_profile(QUICK)


def examples(thorough, **others):
    """Return settings: so many examples where the thorough profile is loaded, else a fifth of them.

    Examples
    --------
    >>> examples(150).max_examples
    30
    """
    return settings(max_examples=thorough if is_thorough() else max(thorough // SHARE, LEAST), **others)


def cases(*quick, thorough):
    """Return the cases of a test: some, and further ones where the thorough profile is loaded."""
    return [*quick, *thorough] if is_thorough() else list(quick)


def every_pair(*factors):
    """Return combinations in which every two values of different factors meet; all where the thorough profile is loaded."""
    factors = [list(values) for values in factors]
    return list(itertools.product(*factors)) if is_thorough() else pairwise(factors)


def every_value(*factors):
    """Return combinations in which every value of every factor is met; all where the thorough profile is loaded."""
    factors = [list(values) for values in factors]
    longest = max(map(len, factors))
    few = [tuple(values[at % len(values)] for values in factors) for at in range(longest)]
    return list(itertools.product(*factors)) if is_thorough() else few


def thorough_only():
    """Return a mark for a test that runs only where the thorough profile is loaded."""
    return pytest.mark.skipif(not is_thorough(), reason="a command of CI: --hypothesis-profile=thorough")


def is_thorough():
    return not settings.default.derandomize  # older releases of Hypothesis do not say the name of a profile
