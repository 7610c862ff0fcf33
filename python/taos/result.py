"""Alias of :mod:`embudo.compat.taos.result`."""

from embudo.compat.taos.result import *  # noqa: F403
