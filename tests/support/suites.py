"""Conformance suites run on plugins that are deliberately broken."""

import pytest


def failing(suite, checks):
    """Return which of the checks fail."""
    return {name for name in checks if not passes(getattr(suite(), name))}


def passes(check):
    """Return whether a check passes, or is skipped."""
    try:
        check()
    except pytest.skip.Exception:
        return True
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever a broken plugin raises
        return False
    return True


def outcome(check, folder):
    """Return what comes of a check that is given a folder of its own."""
    folder.mkdir()
    try:
        check(folder)
    except pytest.skip.Exception:
        return "skipped"
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever a broken store raises
        return "failed"
    return "passed"


def with_outcome(wanted, found):
    """Return the checks that had an outcome."""
    return {name for name, result in found.items() if result == wanted}
