"""What is sent to other processes: pickled once, and opened with an error that says what to install there."""

import socket
from functools import cache
from typing import Any

from attrs import field, frozen

from zcollection.errors import BrokenPluginError
from zcollection.registry.registry import REGISTRY


@frozen
class Parcel:
    """An object, pickled: functions that cannot be imported elsewhere go along with it.

    Attributes
    ----------
    data
        The pickle.
    distributions
        By the name of a plugin's module, the distribution that provides it.
    """

    data: bytes = field(repr=False)
    distributions: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, content: object) -> "Parcel":
        """Return a parcel with an object in it."""
        import cloudpickle

        return cls(cloudpickle.dumps(content), _distributions())

    def open(self) -> Any:
        """Return the object, another one each time.

        Raises
        ------
        BrokenPluginError
            A plugin is not installed in this process, or only in part.
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
            f"as well: pip install {distribution}"
        )
        return BrokenPluginError(message)


@cache
def _distributions() -> dict[str, str]:
    return {
        provider.provides.target.partition(":")[0].partition(".")[0]: provider.distribution
        for provider in REGISTRY.inventory.providers
        if provider.distribution is not None
    }
