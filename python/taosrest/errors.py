"""Alias of :mod:`embudo.compat.taosrest.errors`."""

from embudo.compat.taosrest.errors import *  # noqa: F403
