"""Alias of :mod:`embudo.compat.taos.cinterface`."""

from embudo.compat.taos.cinterface import *  # noqa: F403
