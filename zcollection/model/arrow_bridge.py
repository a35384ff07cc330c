"""What makes Arrow of our datasets: a distribution of its own, imported when it is first asked for, never before."""

from importlib import import_module
from typing import Any

from zcollection.errors import MissingDependencyError


def load(purpose: str) -> Any:
    """Return the module that makes Arrow's tables and streams.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        return import_module("zcollection_arrow")
    except ImportError as error:
        raise MissingDependencyError.of("zcollection-arrow", extra="arrow", purpose=purpose) from error
