"""ListSchemas, ListTables and DescribeTable of the local Redshift Data API."""

import re
from collections.abc import Callable
from typing import Any

from local.endpoint.protocol import ApiError, Call
from local.redshift.session import Warehouse, type_name
from local.redshift.tables import DEFAULT_SCHEMA, SqlError, Table, columns_of

PUBLIC = "internal = false AND schema_name NOT IN ('main')"


def catalog_handlers(warehouse: Warehouse) -> dict[str, Callable[[Call], dict[str, Any]]]:
    """Handlers of the catalog operations; each call opens its own session."""

    def in_session(operation: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> Callable[[Call], dict[str, Any]]:
        def handler(call: Call) -> dict[str, Any]:
            session = warehouse.session()
            try:
                return operation(session.cursor, call.parameters)
            finally:
                session.close()

        return handler

    return {
        "ListSchemas": in_session(list_schemas),
        "ListTables": in_session(list_tables),
        "DescribeTable": in_session(describe_table),
    }


def list_schemas(cursor: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Names of the schemas that match SchemaPattern (SQL LIKE)."""
    rows = cursor.execute(
        f"SELECT schema_name FROM duckdb_schemas() WHERE {PUBLIC} AND database_name = current_database()"
        " AND schema_name LIKE ? ORDER BY 1",
        [request.get("SchemaPattern", "%")],
    ).fetchall()
    return _page([name for (name,) in rows], request, "Schemas")


def list_tables(cursor: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The tables and views that match SchemaPattern and TablePattern (SQL LIKE)."""
    rows = cursor.execute(
        "SELECT schema_name, name, type FROM ("
        " SELECT schema_name, table_name AS name, 'TABLE' AS type"
        f" FROM duckdb_tables() WHERE {PUBLIC} AND NOT temporary"
        f" UNION ALL SELECT schema_name, view_name, 'VIEW' FROM duckdb_views() WHERE {PUBLIC} AND NOT temporary)"
        " WHERE schema_name LIKE ? AND name LIKE ? ORDER BY 1, 2",
        [request.get("SchemaPattern", "%"), request.get("TablePattern", "%")],
    ).fetchall()
    return _page([{"schema": schema, "name": name, "type": kind} for schema, name, kind in rows], request, "Tables")


def describe_table(cursor: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The columns of a table or view; as on AWS, an unknown table has none."""
    if "Table" not in request:
        raise ApiError("ValidationException", "Table is required here")
    schema = request.get("Schema", DEFAULT_SCHEMA)
    try:
        columns = columns_of(cursor, Table(schema, request["Table"]))
    except SqlError:
        return {"TableName": request["Table"], "ColumnList": []}
    described = [_column(schema, request["Table"], column) for column in columns]
    return {"TableName": request["Table"]} | _page(described, request, "ColumnList")


def _column(schema: str, table: str, column: Any) -> dict[str, Any]:
    name, precision, scale = type_name(column.type)
    return {
        "name": column.name,
        "label": column.name,
        "typeName": name,
        "precision": column.length or precision,
        "length": column.length or 0,
        "scale": scale,
        "nullable": 0 if column.is_required else 1,
        "columnDefault": column.default,
        "schemaName": schema,
        "tableName": table,
        "isCaseSensitive": name == "varchar",
        "isCurrency": False,
        "isSigned": name not in ("varchar", "bool", "date", "timestamp", "timestamptz", "super", "varbyte"),
    }


def _page(rows: list[Any], request: dict[str, Any], member: str) -> dict[str, Any]:
    token = request.get("NextToken") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", token):
        raise ApiError("ValidationException", "NextToken is not valid")
    first = int(token)
    last = first + (request.get("MaxResults") or 1000)
    return {member: rows[first:last]} | ({"NextToken": str(last)} if last < len(rows) else {})
