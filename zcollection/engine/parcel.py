"""Objects sent to other processes: pickled once; if unpickling fails, the error names the distribution to install."""

import socket
from functools import cache
from typing import Any

from attrs import field, frozen

from zcollection.errors import BrokenPluginError
from zcollection.registry.registry import REGISTRY


@frozen
class Parcel:
    """A pickled object; functions that other processes cannot import are included by value.

    Attributes
    ----------
    data
        The pickle.
    distributions
        The distribution that provides each plugin, by the name of the plugin's top-level module.
    """

    data: bytes = field(repr=False)
    distributions: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, content: object) -> "Parcel":
        """Pickle an object."""
        import cloudpickle

        return cls(cloudpickle.dumps(content), _distributions())

    def open(self) -> Any:
        """Unpickle the object; every call returns a new one.

        Raises
        ------
        BrokenPluginError
            A plugin is not installed, or only in part, where this process runs.
        """
        import cloudpickle

        try:
            return cloudpickle.loads(self.data)
        except ModuleNotFoundError as error:
            raise self._missing(error) from error

    def _missing(self, error: ModuleNotFoundError) -> Exception:
        distribution = self.distributions.get((error.name or "").partition(".")[0])
        if distribution is None:
            return error
        message = (
            f"a worker on {socket.gethostname()} lacks the module {error.name!r} of the distribution {distribution}; install it there "
            f"too: pip install {distribution}"
        )
        return BrokenPluginError(message)


@cache
def _distributions() -> dict[str, str]:
    return {
        provider.provides.target.partition(":")[0].partition(".")[0]: provider.distribution
        for provider in REGISTRY.inventory.providers
        if provider.distribution is not None
    }
