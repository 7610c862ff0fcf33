"""Alias of :mod:`embudo.compat.taos.tmq`."""

from embudo.compat.taos.tmq import *  # noqa: F403
