"""``taosrest``, as taospy 2.8.10 has it, by Embudo; the code is in :mod:`embudo.compat.taosrest`."""

from embudo.compat.lazy import alias
from embudo.compat.taosrest import *  # noqa: F403
from embudo.compat.taosrest import __all__ as __all__

__getattr__, __dir__ = alias("taosrest")
