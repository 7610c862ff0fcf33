"""Alias of :mod:`embudo.compat.taos.schemaless`."""

from embudo.compat.taos.schemaless import *  # noqa: F403
