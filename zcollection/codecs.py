"""Codec profiles: names for sequences of codecs, to give to `Schema.with_variable` as ``codecs``."""

from zcollection.model.codecs import profile, profile_names

__all__ = ["profile", "profile_names"]
