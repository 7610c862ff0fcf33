"""Alias of :mod:`embudo.compat.taos.field`."""

from embudo.compat.taos.field import *  # noqa: F403
