"""Alias of :mod:`embudo.compat.taos.bind2`."""

from embudo.compat.taos.bind2 import *  # noqa: F403
