"""Every name of the package, as type checkers see it; programs get each when they ask for it."""

from __future__ import annotations

from embudo.compat.taos.bind import *  # noqa: F403
from embudo.compat.taos.bind2 import *  # noqa: F403
from embudo.compat.taos.bind_base import *  # noqa: F403
from embudo.compat.taos.cinterface import *  # noqa: F403
from embudo.compat.taos.connection import *  # noqa: F403
from embudo.compat.taos.constants import *  # noqa: F403
from embudo.compat.taos.cursor import *  # noqa: F403
from embudo.compat.taos.error import *  # noqa: F403
from embudo.compat.taos.field import *  # noqa: F403
from embudo.compat.taos.field_v3 import *  # noqa: F403
from embudo.compat.taos.precision import *  # noqa: F403
from embudo.compat.taos.result import *  # noqa: F403
from embudo.compat.taos.schemaless import *  # noqa: F403
from embudo.compat.taos.statement import *  # noqa: F403
from embudo.compat.taos.statement2 import *  # noqa: F403
from embudo.compat.taos.subscription import *  # noqa: F403
from embudo.compat.taos.tmq_first import *  # noqa: F403
