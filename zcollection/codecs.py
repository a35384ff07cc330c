"""Codec profiles: named sequences of codecs, for the parameter ``codecs`` of `Schema.with_variable`."""

from zcollection.model.codecs import profile, profile_names

__all__ = ["profile", "profile_names"]
