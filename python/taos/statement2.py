"""Alias of :mod:`embudo.compat.taos.statement2`."""

from embudo.compat.taos.statement2 import *  # noqa: F403
