"""The rows that storage returns: read by name, as `row["address"]`."""

import asyncpg

Row = asyncpg.Record
