"""Alias of :mod:`embudo.compat.taos.bind`."""

from embudo.compat.taos.bind import *  # noqa: F403
