"""Alias of :mod:`embudo.compat.taos.sqlalchemy`."""

from embudo.compat.taos.sqlalchemy import *  # noqa: F403
