"""Keys of the senders of forwarded mail: rows of `auth.srs_keys` (docs/decisions/0093)."""

import os
from datetime import datetime, timedelta

import asyncpg

from auth.storage.directory import PATIENCE
from mailauth.srs import LIFE_DAYS
from mailkit.postgres.pool import Queries, translated
from mailkit.postgres.singleton import Singleton

queries = Queries("auth.storage", "srs.sql")

#: How long a key is used, from when on, so that every replica knows it, and how long it is kept: one day more than its addresses.
USED, KNOWN = timedelta(days=30), timedelta(minutes=10)
KEPT = USED + KNOWN + timedelta(days=LIFE_DAYS + 1)


class SrsKeys:
    """The statements of `srs.sql`."""

    def __init__(self, questions: asyncpg.Pool) -> None:
        self._questions = questions

    async def all(self, now: datetime) -> list[bytes]:
        """Return the keys, the one to be used first. Raises Unavailable."""
        async with translated():
            return [row["value"] for row in await self._questions.fetch(queries.keys, now - KNOWN, timeout=PATIENCE)]


async def rotate(singleton: Singleton, now: datetime) -> bool:
    """Make a key if the latest is old, and remove those without valid addresses; return whether one was made. Raises LeaseLost."""
    async with singleton.step() as connection:
        status = await connection.execute(queries.make, now, now - USED, os.urandom(32))
        await connection.execute(queries.remove, now - KEPT)
    return bool(status.endswith(" 1"))
