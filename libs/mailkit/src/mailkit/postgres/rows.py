"""Typed rows: records of asyncpg with attributes. A row costs no object besides its record."""

from operator import itemgetter
from typing import Any

import asyncpg

Row = asyncpg.Record


def column(name: str) -> Any:
    """Return the attribute of a subclass of Row that reads this column."""
    return property(itemgetter(name))
