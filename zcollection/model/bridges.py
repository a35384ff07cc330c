"""Optional distributions that extend the kernel (Arrow, plots, notebooks): each is imported on first use."""

from importlib import import_module
from typing import Any

from zcollection.errors import MissingDependencyError


def arrow(purpose: str) -> Any:
    """Return the module ``zcollection_arrow``, which creates Arrow tables and streams; raises as `bridge`."""
    return bridge("arrow", purpose)


def bridge(name: str, purpose: str) -> Any:
    """Return the module of the distribution ``zcollection-<name>``, which the extra ``<name>`` installs.

    Raises
    ------
    MissingDependencyError
        The distribution is not installed.
    """
    try:
        return import_module(f"zcollection_{name}")
    except ImportError as error:
        raise MissingDependencyError.of(f"zcollection-{name}", extra=name, purpose=purpose) from error


def notebook(item: object) -> str | None:
    """Return the HTML that ``zcollection-report`` creates for an object; None if that distribution is not installed, or fails."""
    try:
        shown: str = import_module("zcollection_report.notebook").shown(item)
    except Exception:  # noqa: BLE001 - a repr must not raise; the notebook shows the text instead
        return None
    return shown
