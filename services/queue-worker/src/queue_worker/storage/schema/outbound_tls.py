"""What is known of TLS at other providers: MTA-STS policies."""

from sqlalchemy import ARRAY, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from mailkit.postgres.tables import time
from queue_worker.storage.schema.metadata import metadata

#: Policies that all workers share (docs/decisions/0095).
sts_policy = Table(
    "sts_policy",
    metadata,
    Column("domain", Text, nullable=False),
    Column("id", Text, nullable=False, comment="Of the TXT record _mta-sts.<domain>"),
    Column("mode", Text, nullable=False),
    Column("mx", ARRAY(Text), nullable=False, comment="Patterns of the hosts' names"),
    Column("max_age", Integer, nullable=False),
    time("expires"),
    time("used_at", comment="Last use, to within a day"),
    time("refresh_at", comment="When it is fetched again"),
    PrimaryKeyConstraint("domain", name="sts_policy_pkey"),
    Index("sts_policy_refresh", "refresh_at"),
    Index("sts_policy_expires", "expires"),
    comment="MTA-STS policies of other domains (RFC 8461) until they expire",
)
