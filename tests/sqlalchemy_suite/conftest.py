"""SQLAlchemy's own plug-in and ours: see run.py."""

from __future__ import annotations

import hidden_time
import pytest
from sqlalchemy.dialects import registry

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403

for _name, _class in (
    ("embudo", "EmbudoDialect"),
    ("embudo.embudo", "EmbudoDialect"),
    ("embudo.ws", "EmbudoWsDialect"),
    ("embudo.http", "EmbudoHttpDialect"),
):
    registry.register(_name, "embudo.sqlalchemy", _class)

hidden_time.install()
