"""Columns and tables that the schemas of several services have, for SQLAlchemy's metadata."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)


def time(name: str, *, nullable: bool = False, comment: str | None = None) -> Column[object]:
    """Return a column that holds a moment, with its time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable, comment=comment)


def singleton(metadata: MetaData, comment: str | None = None) -> Table:
    """Return the table of leases for work that one replica does at a time (`mailkit.postgres.singleton`)."""
    return Table(
        "singleton",
        metadata,
        Column("name", Text, primary_key=True),
        Column("holder", Uuid, nullable=False),
        Column("fence", BigInteger, nullable=False),
        time("until"),
        comment=comment,
    )


def schema_min_code(metadata: MetaData) -> Table:
    """Return the table with one row: the schema's revision and the oldest code that may run on it (docs/decisions/0021).

    `mailkit.postgres.migrate` writes it.
    """
    return Table(
        "schema_min_code",
        metadata,
        Column("only_row", Boolean, primary_key=True, server_default=text("true")),
        Column("version", Integer, nullable=False),
        Column("min_code", Integer, nullable=False),
        CheckConstraint("only_row", name="schema_min_code_one_row"),
    )
