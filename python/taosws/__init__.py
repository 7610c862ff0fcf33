"""``taosws``, as taos-ws-py 0.7.0 has it, by Embudo; the code is in :mod:`embudo.compat.taosws`."""

import sys

from embudo.compat.lazy import alias
from embudo.compat.taosws import __all__, __version__, apilevel, paramstyle, threadsafety  # noqa: F401

TYPE_CHECKING = False
if TYPE_CHECKING:
    from embudo.compat.taosws import *  # noqa: F403

__getattr__, __dir__ = alias("taosws")

# The official package's native module, under its old name.
sys.modules.setdefault("taosws.taosws", sys.modules[__name__])
