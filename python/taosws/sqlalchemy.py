"""Alias of :mod:`embudo.compat.taosws.sqlalchemy`."""

from embudo.compat.taosws.sqlalchemy import *  # noqa: F403
