"""Alias of :mod:`embudo.compat.taosrest.restclient`."""

from embudo.compat.taosrest.restclient import *  # noqa: F403
