"""Plugin of pytest that takes a safety step away before the tests run: ``-p mutating`` with the step's name in the environment."""

import os

import steps


def pytest_configure() -> None:
    steps.STEPS[os.environ["ZCOLLECTION_WITHOUT"]].take_away()
