"""Alias of :mod:`embudo.compat.taos.tmq`, with the names of its first interface."""

from embudo.compat.taos.tmq import *  # noqa: F403
from embudo.compat.taos.tmq_first import *  # noqa: F403
