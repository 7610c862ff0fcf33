"""``taos``, as taospy 2.8.10 has it, by Embudo; the code is in :mod:`embudo.compat.taos`."""

from embudo.compat.lazy import alias
from embudo.compat.taos import (  # noqa: F401
    IS_V3,
    TAOS_FIELD_COL,
    TAOS_FIELD_QUERY,
    TAOS_FIELD_TAG,
    TAOS_FIELD_TBNAME,
    __all__,
    __version__,
    paramstyle,
    threadsafety,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from embudo.compat.taos import *  # noqa: F403

__getattr__, __dir__ = alias("taos")
