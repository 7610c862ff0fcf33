"""Line protocols and the units of their times."""

from __future__ import annotations

from embudo.compat.taos.constants import SmlPrecision, SmlProtocol

__all__ = ["SmlPrecision", "SmlProtocol"]
