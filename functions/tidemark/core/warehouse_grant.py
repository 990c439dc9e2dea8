"""The statements with which the warehouse's administrator lets the loader create its schemas. Pure."""

from __future__ import annotations

from tidemark.core.warehouse_ddl import quoted


def grant_statements(loader: str, database: str) -> list[str]:
    """The statements, to be run one by one, because the first fails if the user exists.

    `loader` is the database user of the role that loads. Redshift has no CREATE USER IF NOT EXISTS, and creates the
    user of a role itself when the role first connects.
    """
    return [
        f"CREATE USER {quoted(loader)} PASSWORD DISABLE",
        f"GRANT CREATE ON DATABASE {quoted(database)} TO {quoted(loader)}",
    ]


def acting_as(loader: str, statements: list[str]) -> list[str]:
    """The statements of one transaction, run by the administrator as the loader, which then owns what they create."""
    return [f"SET SESSION AUTHORIZATION '{loader}'", *statements]
