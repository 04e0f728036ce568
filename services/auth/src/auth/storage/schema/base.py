"""The metadata that the modules beside it define their tables in."""

from sqlalchemy import MetaData

from auth.storage.names import SCHEMA

metadata = MetaData(schema=SCHEMA)
