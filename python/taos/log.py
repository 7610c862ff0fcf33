"""Alias of :mod:`embudo.compat.taos.log`."""

from embudo.compat.taos.log import *  # noqa: F403
