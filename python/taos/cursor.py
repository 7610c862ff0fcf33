"""Alias of :mod:`embudo.compat.taos.cursor`."""

from embudo.compat.taos.cursor import *  # noqa: F403
