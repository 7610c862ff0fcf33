"""Alias of :mod:`embudo.compat.taos.constants`."""

from embudo.compat.taos.constants import *  # noqa: F403
