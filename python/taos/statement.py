"""Alias of :mod:`embudo.compat.taos.statement`."""

from embudo.compat.taos.statement import *  # noqa: F403
