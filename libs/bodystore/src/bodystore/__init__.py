"""The octets of messages, written once and referred to by the queue and by mailboxes (decision 4)."""

import asyncpg

from bodystore.chunks import CHUNK, Bodies
from bodystore.cold import require_objects
from bodystore.moving import Figures, Mover
from bodystore.objects import Objects, ObjectSettings
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
    "Figures",
    "Mover",
    "ObjectSettings",
    "Objects",
    "OtherDatabase",
    "SameDatabase",
    "Sharing",
    "body_store",
    "require_objects",
]


def body_store(pool: asyncpg.Pool, own: asyncpg.Pool, objects: Objects | None = None) -> BodyStore:
    """Return the bodies of the database of `pool`, for a caller whose rows are in the database of `own`.

    They are the same database if they are the same pool. `objects`: where old bodies are, if not in the database.
    """
    return SameDatabase(pool, objects) if pool is own else OtherDatabase(pool, objects)
