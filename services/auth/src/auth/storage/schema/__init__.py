"""The tables of schema `auth`, defined once; a test compares them with the result of `migrations/`."""

from auth.storage.schema import audit, customers, directory, events, keys, logins, moves, tokens
from auth.storage.schema.base import metadata
from mailkit.postgres import tables

__all__ = ["audit", "customers", "directory", "events", "keys", "logins", "metadata", "moves", "tokens"]

#: Work that one replica does: its holder and the end of its lease (`mailkit.postgres.singleton`).
tables.singleton(metadata)

tables.schema_min_code(metadata)
