"""What the administrator says to the warehouse."""

from __future__ import annotations

from tidemark.core.warehouse_grant import acting_as, grant_statements


def test_the_loader_becomes_a_user_that_may_create_schemas() -> None:
    """Both names are quoted: a role's user has a colon in its name."""
    assert grant_statements("IAMR:tidemark-loader", "warehouse") == [
        'CREATE USER "IAMR:tidemark-loader" PASSWORD DISABLE',
        'GRANT CREATE ON DATABASE "warehouse" TO "IAMR:tidemark-loader"',
    ]


def test_what_the_administrator_does_as_the_loader_belongs_to_the_loader() -> None:
    """Otherwise the loader could neither fill nor change the table."""
    assert acting_as("IAMR:tidemark-loader", ["CREATE TABLE t (a INT)"]) == [
        "SET SESSION AUTHORIZATION 'IAMR:tidemark-loader'",
        "CREATE TABLE t (a INT)",
    ]
