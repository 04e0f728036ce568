"""The tables of schema `queue`, defined once; the revisions in `migrations/` build them."""

from mailkit.postgres import tables
from queue_worker.storage.schema import dmarc, history, operators, outbound_tls, under_way
from queue_worker.storage.schema.metadata import metadata

__all__ = ["dmarc", "history", "metadata", "operators", "outbound_tls", "under_way"]

#: Work that one replica does for all: its holder and the end of the lease; `fence` grows with each new holder.
tables.singleton(metadata, "Work that one replica does: who, until when")

tables.schema_min_code(metadata)
