"""Alias of :mod:`embudo.compat.taosrest.restclient`."""

from embudo.compat.taosrest.restclient import (
    RestClient,
)

__all__ = [
    "RestClient",
]
