"""Removal of expired rows, in steps of the work that one replica does."""

from datetime import datetime

from mailkit.postgres.pool import Queries
from mailkit.postgres.singleton import Singleton

queries = Queries("auth.storage", "maintenance.sql")


async def remove(singleton: Singleton, table: str, before: datetime) -> int:
    """Remove the rows of `table` that ended before `before`; return their number. Raises LeaseLost if another replica does it."""
    async with singleton.step() as connection:
        status = await connection.execute(getattr(queries, table), before)
    return int(status.rpartition(" ")[2])
