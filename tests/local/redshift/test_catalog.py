"""The lists of schemas, tables and columns."""

from typing import Any

from tests.local.redshift.conftest import WHERE, run


def test_the_catalogue_is_listed(redshift: Any) -> None:
    """Schemas, tables and columns, including lengths, can be listed."""
    run(
        redshift,
        "CREATE SCHEMA tidemark",
        "CREATE TABLE tidemark.t (a VARCHAR(10) NOT NULL, b DECIMAL(12,2) DEFAULT 0)",
        "CREATE VIEW tidemark.v AS SELECT a FROM tidemark.t",
    )
    assert redshift.list_schemas(**WHERE)["Schemas"] == ["public", "tidemark"]
    tables = redshift.list_tables(SchemaPattern="tidemark", **WHERE)["Tables"]
    assert [(t["name"], t["type"]) for t in tables] == [("t", "TABLE"), ("v", "VIEW")]
    columns = redshift.describe_table(Schema="tidemark", Table="t", **WHERE)["ColumnList"]
    assert [(c["name"], c["typeName"], c["length"], c["nullable"]) for c in columns] == [
        ("a", "varchar", 10, 0),
        ("b", "numeric", 0, 1),
    ]
    assert redshift.describe_table(Schema="tidemark", Table="nope", **WHERE)["ColumnList"] == []
