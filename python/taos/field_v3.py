"""Alias of :mod:`embudo.compat.taos.field_v3`."""

from embudo.compat.taos.field_v3 import *  # noqa: F403
