"""Alias of :mod:`embudo.compat.taos.utils`."""

from embudo.compat.taos.utils import *  # noqa: F403
