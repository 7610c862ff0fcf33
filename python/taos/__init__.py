"""``taos``, as taospy 2.8.10 has it, by Embudo; the code is in :mod:`embudo.compat.taos`."""

from embudo.compat.lazy import alias
from embudo.compat.taos import IS_V3 as IS_V3
from embudo.compat.taos import TAOS_FIELD_COL as TAOS_FIELD_COL
from embudo.compat.taos import TAOS_FIELD_QUERY as TAOS_FIELD_QUERY
from embudo.compat.taos import TAOS_FIELD_TAG as TAOS_FIELD_TAG
from embudo.compat.taos import TAOS_FIELD_TBNAME as TAOS_FIELD_TBNAME
from embudo.compat.taos import __all__ as __all__
from embudo.compat.taos import __version__ as __version__
from embudo.compat.taos import paramstyle as paramstyle
from embudo.compat.taos import threadsafety as threadsafety

TYPE_CHECKING = False
if TYPE_CHECKING:
    from embudo.compat.taos.names import *  # noqa: F403

__getattr__, __dir__ = alias("taos")
