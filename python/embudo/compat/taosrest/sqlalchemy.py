"""Where taospy has its dialect; see :mod:`embudo.sqlalchemy`."""

from __future__ import annotations

from typing import Any

from embudo.compat import taosrest
from embudo.compat.taosrest.errors import Error
from embudo.sqlalchemy import TaosRestDialect
from embudo.sqlalchemy.restapi import RestApi

__all__ = ["AlchemyRestConnection", "TaosRestDialect"]


class AlchemyRestConnection(RestApi):
    """``taosrest`` as SQLAlchemy wants a module."""

    Error = Error

    def __init__(self, module: Any = taosrest) -> None:
        super().__init__(module)
