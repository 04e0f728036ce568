"""Mail from outside as DMARC reports tell it."""

from sqlalchemy import BigInteger, Column, Date, PrimaryKeyConstraint, Table, Text, Uuid

from mailkit.postgres.tables import time
from queue_worker.storage.schema.metadata import metadata

#: Until it is reported (docs/decisions/0092); written only if POSTRIDER_DMARC_REPORTS is set.
dmarc_result = Table(
    "dmarc_result",
    metadata,
    Column("day", Date, nullable=False),
    Column("domain", Text, nullable=False, comment="Of the policy record"),
    Column("key", Uuid, nullable=False, comment="A hash of facts; zero: messages that were left out"),
    Column("facts", Text, nullable=False, comment="Source, results and identifiers, as JSON"),
    Column("policy", Text, nullable=False, comment="The tags of the policy record that was seen last"),
    time("seen", comment="When messages were added last"),
    Column("messages", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "domain", "key", name="dmarc_result_pkey"),
    comment="Mail from outside by day, policy domain, source and results, until it is reported (RFC 9990)",
)
