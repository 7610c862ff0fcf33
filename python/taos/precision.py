"""Alias of :mod:`embudo.compat.taos.precision`."""

from embudo.compat.taos.precision import *  # noqa: F403
