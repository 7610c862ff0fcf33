"""Alias of :mod:`embudo.compat.taos.bind_base`."""

from embudo.compat.taos.bind_base import *  # noqa: F403
