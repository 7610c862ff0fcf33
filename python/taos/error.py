"""Alias of :mod:`embudo.compat.taos.error`."""

from embudo.compat.taos.error import *  # noqa: F403
