"""The stored form of a strategy (here: a partitioning, merge strategy or computation): its name and configuration, no import path."""

from collections.abc import Mapping
from typing import Any

import attrs
from attrs import field, frozen

from zcollection.contracts.configurable import Configurable
from zcollection.errors import PluginConfigurationError, ZCollectionError, accepted
from zcollection.model.documents import INVALID, explain, strict_converter
from zcollection.model.formatting import shortened
from zcollection.model.printed import Printed
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY, Registry

_CONVERTER = strict_converter()


@frozen(repr=False)
class StoredForm(Printed):
    """The form in which a strategy is written in a document.

    Attributes
    ----------
    name
        The name under which a plugin provides the class.
    configuration
        The fields of the strategy, as JSON values.
    provided_by
        Requirement (name and minimum version) on the distribution that provides the class, a hint for error messages; None
        if the class was registered at run time.
    """

    name: str
    configuration: dict[str, Any] = field(factory=dict)
    provided_by: str | None = None

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.configuration.items())
        return shortened(f"{self.name}({settings})")


def store(strategy: Configurable, *, registry: Registry = REGISTRY) -> StoredForm:
    """Return the stored form of a strategy.

    Raises
    ------
    PluginError
        No plugin provides the class, and it is not registered.
    """
    provider = registry.provider_of(type(strategy))
    requirement = f"{provider.distribution}>={provider.version}" if provider.distribution else None
    return StoredForm(provider.provides.name, configuration(strategy), requirement)


def configuration(strategy: Configurable) -> dict[str, Any]:
    """Return the fields of a strategy, as JSON values."""
    fields: dict[str, Any] = _CONVERTER.unstructure(strategy)
    return fields


def restore(family: Family, form: StoredForm, *, registry: Registry = REGISTRY) -> Any:
    """Return the strategy that a stored form describes.

    Raises
    ------
    PluginError
        The class cannot be found; see `Registry.get`.
    PluginConfigurationError
        The class rejects the configuration.
    """
    cls = registry.get(family, form.name, provided_by=form.provided_by)
    return configure(cls, form.configuration, what=f"{family.noun} {form.name!r}")


def configure(cls: type[Any], configuration: Mapping[str, Any], *, what: str) -> Any:
    """Return an instance of the class of a strategy, made from its fields as JSON values.

    Parameters
    ----------
    cls
        The class of the strategy.
    configuration
        The fields, as JSON values.
    what
        Name of the strategy for error messages.

    Raises
    ------
    PluginConfigurationError
        A key is unknown, or a value is rejected.
    """
    known = [attribute.name for attribute in attrs.fields(cls) if attribute.init]
    for key in configuration:
        if key not in known:
            message = f"{what} has no setting {key!r}; {accepted(key, known)}"
            raise PluginConfigurationError(message)
    try:
        return _CONVERTER.structure(dict(configuration), cls)
    except (*INVALID, ZCollectionError) as error:
        message = f"{what} refuses its configuration {dict(configuration)!r}: {explain(error)}"
        raise PluginConfigurationError(message) from error
