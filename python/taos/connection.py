"""Alias of :mod:`embudo.compat.taos.connection`."""

from embudo.compat.taos.connection import *  # noqa: F403
