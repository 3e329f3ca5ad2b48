"""All rows of one database into another, so that a copy can be a file of SQLite wherever the rows came from."""

from sqlalchemy import JSON, Connection, MetaData, Table, insert, select

from sessions.models import JsonObject

_VERSION_TABLE = "alembic_version"
_ROWS_AT_A_TIME = 500


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy every row into empty tables of the same shape, in the order in which rows were written.

    Args:
        source: in a transaction that reads.
        target: in a transaction that writes; its migrations have been run to the shape of the source.
    """
    there = _reflect(target)
    for name, table in _reflect(source).items():
        for rows in source.execute(select(table).order_by(table.c.number)).mappings().partitions(_ROWS_AT_A_TIME):
            target.execute(insert(there[name]), [dict(row) for row in rows])


def _reflect(connection: Connection) -> dict[str, Table]:
    """Return the tables as they are, not as this version's models say: a copy is made before a migration, too."""
    shape = MetaData()
    shape.reflect(connection)
    tables = {table.name: table for table in shape.sorted_tables if table.name != _VERSION_TABLE}  # parents first
    for table in tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JsonObject  # an absent value stays absent
    return tables
