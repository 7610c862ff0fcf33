"""The module that the ``taosws`` dialect connects with: the typed API, whose parameters are values, and which minds ``EMBUDO_DSN``."""

from __future__ import annotations

from typing import Any

__all__ = ["WsApi"]


class WsApi:
    """:mod:`embudo` with connections that lead where ``taosws.connect`` would."""

    def __init__(self) -> None:
        import embudo

        self._module = embudo

    def connect(self, dsn: str) -> Any:
        """A connection over WebSocket, or to what ``EMBUDO_DSN`` names."""
        from embudo import _embudo
        from embudo.redirect import redirection

        return self._module.connect(redirection(_embudo.masked(dsn)) or dsn)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
