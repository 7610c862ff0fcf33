"""Alias of :mod:`embudo.compat.taosrest.sqlalchemy`."""

from embudo.compat.taosrest.sqlalchemy import *  # noqa: F403
