"""Conformance of the distribution: entry point, hook, names, version range, README, types."""

from zcollection.testing import PluginSuite


class TestPlugin(PluginSuite):
    distribution = "{{ cookiecutter.distribution }}"
