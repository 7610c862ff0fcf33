"""``taosws``, as taos-ws-py 0.7.0 has it, by Embudo; the code is in :mod:`embudo.compat.taosws`."""

import sys

from embudo.compat.lazy import alias
from embudo.compat.taosws import __all__ as __all__
from embudo.compat.taosws import __version__ as __version__
from embudo.compat.taosws import apilevel as apilevel
from embudo.compat.taosws import paramstyle as paramstyle
from embudo.compat.taosws import threadsafety as threadsafety

TYPE_CHECKING = False
if TYPE_CHECKING:
    from embudo.compat.taosws.names import *  # noqa: F403

__getattr__, __dir__ = alias("taosws")

# The official package's native module, under its old name.
sys.modules.setdefault("taosws.taosws", sys.modules[__name__])
