"""Alias of :mod:`embudo.compat.taos.subscription`."""

from embudo.compat.taos.subscription import *  # noqa: F403
