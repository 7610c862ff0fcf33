"""Alias of :mod:`embudo.compat.taosrest.connection`."""

from embudo.compat.taosrest.connection import *  # noqa: F403
