"""The octets of messages, written once and referred to by the queue and by mailboxes (decision 4)."""

import asyncpg

from bodystore.chunks import CHUNK, Bodies
from bodystore.other_database import OtherDatabase
from bodystore.same_database import SameDatabase
from bodystore.store import WATCHED, BodyGone, BodyStore, Entering, Sharing

__all__ = [
    "CHUNK",
    "WATCHED",
    "Bodies",
    "BodyGone",
    "BodyStore",
    "Entering",
    "OtherDatabase",
    "SameDatabase",
    "Sharing",
    "body_store",
]


def body_store(pool: asyncpg.Pool, own: asyncpg.Pool) -> BodyStore:
    """Return the bodies of the database of `pool`, for a caller whose rows are in the database of `own`.

    They are the same database if they are the same pool.
    """
    return SameDatabase(pool) if pool is own else OtherDatabase(pool)
