"""Every name of the package, as type checkers see it; programs get each when they ask for it."""

from __future__ import annotations

from embudo.compat.taosws.connection import *  # noqa: F403
from embudo.compat.taosws.consumer import *  # noqa: F403
from embudo.compat.taosws.cursor import *  # noqa: F403
from embudo.compat.taosws.enums import *  # noqa: F403
from embudo.compat.taosws.errors import *  # noqa: F403
from embudo.compat.taosws.statement import *  # noqa: F403
from embudo.compat.taosws.views import *  # noqa: F403
