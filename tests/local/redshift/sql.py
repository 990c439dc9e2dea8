"""Redshift's SQL, run in a session of its own."""

from __future__ import annotations

from typing import Any

import pytest

from local.redshift.session import Session
from local.redshift.tables import SqlError
from local.redshift.translate import translate


def run(session: Session, *sqls: str) -> list[tuple[Any, ...]]:
    """Run the statements; the rows of the last one."""
    effect = None
    for sql in sqls:
        effect = session.run(translate(sql))
    return effect.rows.rows if effect and effect.rows else []


def fails(session: Session, sql: str) -> str:
    with pytest.raises(SqlError) as error:
        run(session, sql)
    return str(error.value)
