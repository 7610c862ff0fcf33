"""Alias of :mod:`embudo.compat.taosrest.cursor`."""

from embudo.compat.taosrest.cursor import *  # noqa: F403
