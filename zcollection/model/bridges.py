"""Distributions of their own that take over where the kernel ends: each is imported when it is first asked for, never before."""

from importlib import import_module
from typing import Any

from zcollection.errors import MissingDependencyError


def arrow(purpose: str) -> Any:
    """Return the module that makes Arrow's tables and streams; raises as `bridge`."""
    return bridge("arrow", purpose)


def bridge(name: str, purpose: str) -> Any:
    """Return the module of the distribution ``zcollection-<name>``, which the extra of its name installs.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        return import_module(f"zcollection_{name}")
    except ImportError as error:
        raise MissingDependencyError.of(f"zcollection-{name}", extra=name, purpose=purpose) from error


def notebook(item: object) -> str | None:
    """Return what ``zcollection-report`` shows of an object in a notebook; None where it is not installed, or fails."""
    try:
        shown: str = import_module("zcollection_report.notebook").shown(item)
    except Exception:  # noqa: BLE001 - a repr never raises: the text is shown instead
        return None
    return shown
