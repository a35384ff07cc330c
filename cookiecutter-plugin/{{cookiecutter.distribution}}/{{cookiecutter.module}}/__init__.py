"""Plugin of zcollection: provides the {{ cookiecutter.__noun }} ``{{ cookiecutter.name }}``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_{{ cookiecutter.__plural }}() -> Iterator[Provides]:
    """Yield the {{ cookiecutter.__noun }} of this distribution; its class is imported when it is first used."""
    yield Provides(
        "{{ cookiecutter.name }}",
        target="{{ cookiecutter.module }}.{{ cookiecutter.family }}:{{ cookiecutter.__class }}",
        summary="{{ cookiecutter.summary }}",
        contract=1,
    )
