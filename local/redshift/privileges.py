"""Privileges on tables and views, as Redshift's SVV_RELATION_PRIVILEGES shows them. They are kept, and not enforced.

A relation that is dropped loses them, also if one of its name is made at once. A view that is replaced keeps them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from local.redshift.tables import DEFAULT_SCHEMA, SqlError, Table

VIEW: Final = "svv_relation_privileges"
STORE: Final = f"main.{VIEW}"
DDL: Final = (
    f"CREATE TABLE IF NOT EXISTS {STORE} (namespace_name VARCHAR, relation_name VARCHAR, privilege_type VARCHAR,"
    " identity_name VARCHAR, identity_type VARCHAR, admin_option BOOLEAN)"
)
KINDS: Final = ("GROUP", "ROLE")
ALL: Final = ("DELETE", "INSERT", "REFERENCES", "SELECT", "UPDATE")  # what the word ALL stands for


@dataclass(frozen=True)
class Identity:
    name: str
    kind: str  # user | group | role | public

    @classmethod
    def parse(cls, principal: str) -> "Identity":
        """Parses `"x"`, `GROUP x`, `ROLE x` or `PUBLIC`."""
        word, _, rest = principal.partition(" ")
        if rest and word.upper() in KINDS:
            return cls(_name(rest), word.lower())
        return cls("public", "public") if word.upper() == "PUBLIC" else cls(_name(principal), "user")


@dataclass(frozen=True)
class Privileges:
    """GRANT or REVOKE on a table or view."""

    table: Table
    words: tuple[str, ...]  # such as SELECT
    identities: tuple[Identity, ...]
    may_grant: bool = False  # WITH GRANT OPTION
    is_revoked: bool = False


def apply(cursor: Any, change: Privileges) -> None:
    """Grants or revokes. SqlError if there is no such relation."""
    if not exists(cursor, change.table):
        raise SqlError(f'relation "{change.table}" does not exist')
    for word in ALL if "ALL" in change.words else change.words:
        for identity in change.identities:
            row = [*_key(change.table), word, identity.name, identity.kind]
            cursor.execute(f"DELETE FROM {STORE} WHERE {_matching()}", row)
            if not change.is_revoked:
                cursor.execute(f"INSERT INTO {STORE} VALUES (?, ?, ?, ?, ?, ?)", [*row, change.may_grant])


def forget(cursor: Any, table: Table) -> None:
    """Removes all privileges on the relation."""
    cursor.execute(f"DELETE FROM {STORE} WHERE namespace_name = ? AND relation_name = ?", _key(table))


def exists(cursor: Any, table: Table) -> bool:
    """Whether there is a permanent table or view of that name."""
    found = cursor.execute(
        "SELECT 1 FROM information_schema.tables"
        " WHERE table_catalog = current_database() AND table_schema = ? AND table_name = ?",
        _key(table),
    )
    return found.fetchone() is not None


def check_same_columns(cursor: Any, view: Table, query: str) -> None:
    """Raises SqlError unless the view, if it exists, has the columns of the query: only such a view can be replaced."""
    if not exists(cursor, view):
        return
    old, new = (_columns(cursor, sql) for sql in (f"SELECT * FROM {view.sql}", query))
    if len(old) != len(new):
        raise SqlError("cannot change number of columns in view")
    for (name, kind), (new_name, new_kind) in zip(old, new, strict=True):
        if name != new_name:
            raise SqlError(f'cannot change name of view column "{name}"')
        if kind != new_kind:
            raise SqlError(f'cannot change data type of view column "{name}"')


def _columns(cursor: Any, query: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in cursor.execute(f"DESCRIBE {query}").fetchall()]


def _matching() -> str:
    names: Iterable[str] = ("namespace_name", "relation_name", "privilege_type", "identity_name", "identity_type")
    return " AND ".join(f"{name} = ?" for name in names)


def _key(table: Table) -> list[str]:
    return [table.schema or DEFAULT_SCHEMA, table.name]


def _name(text: str) -> str:
    quoted = text.startswith('"')
    return text.strip('"').replace('""', '"') if quoted else text.lower()
