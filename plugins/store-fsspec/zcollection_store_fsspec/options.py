"""The options of the stores: those of each link of a chain, by protocol."""

from collections.abc import Mapping
from typing import Any, Self

from attrs import field, frozen
from zcollection_store_object import options
from zcollection_store_object.client import options_error

from zcollection.plugin import StoreURL, accepted
from zcollection_store_fsspec.chain import Link


@frozen(kw_only=True)
class Options:
    """The options in ``storage_options``.

    Attributes
    ----------
    links
        The fsspec options of each link, by protocol; excluded from the repr because they may contain credentials.
    max_retries
        The largest number of retries after a temporary failure.
    """

    links: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=False, hash=False)
    max_retries: int = options.max_retries()

    @classmethod
    def of(cls, url: StoreURL, links: tuple[Link, ...], given: Mapping[str, Any]) -> Self:
        """Return the options that the caller passed; messages never contain a value, because it may be a credential.

        Raises
        ------
        PluginConfigurationError
            There is no such link, or a value is not accepted.
        """
        known = [link.protocol for link in links]
        for name, value in given.items():
            if name != "max_retries" and name not in known:
                choices = accepted(name, sorted({*known, "max_retries"}))
                raise options_error(
                    url, f"no option {name!r}; {choices}: the links, each with its options in a mapping"
                )
            if name != "max_retries" and not isinstance(value, Mapping):
                raise options_error(url, f"{name!r} of {type(value).__name__}; accepted: a mapping, as fsspec takes it")
        try:
            retries = cls(**{name: value for name, value in given.items() if name == "max_retries"}).max_retries
        except (TypeError, ValueError):
            raise options_error(url, "an invalid 'max_retries'; accepted: a whole number from 0 to 100") from None
        return cls(links={name: dict(given[name]) for name in known if name in given}, max_retries=retries)
