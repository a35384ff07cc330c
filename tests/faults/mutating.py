"""Plugin of pytest, ``-p mutating``, that disables the safety step named by ``ZCOLLECTION_WITHOUT`` before the tests run."""

import os

import steps


def pytest_configure() -> None:
    steps.STEPS[os.environ["ZCOLLECTION_WITHOUT"]].disable()
