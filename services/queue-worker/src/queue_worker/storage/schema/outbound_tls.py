"""What is known of TLS at other providers: MTA-STS policies, and the results of sessions."""

from sqlalchemy import ARRAY, BigInteger, Column, Date, Index, Integer, PrimaryKeyConstraint, Table, Text, text

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

#: Results of sessions until they are reported (docs/decisions/0098); written only if POSTRIDER_TLS_REPORTS is set.
tls_result = Table(
    "tls_result",
    metadata,
    Column("day", Date, nullable=False),
    Column("domain", Text, nullable=False),
    Column("policy", Text, nullable=False, comment="A policy type of RFC 8460 4.2"),
    Column("record", Text, nullable=False),
    Column("failure", Text, nullable=False, comment="A failure type of RFC 8460 4.3; empty: successful"),
    Column("host", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("strings", Text, nullable=False, comment="The policy as published, in lines"),
    Column("mx", Text, nullable=False, comment="The patterns of its hosts, in lines"),
    Column("sessions", BigInteger, nullable=False),
    Column(
        "source",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="Our address in the last of them, if it is a public one",
    ),
    PrimaryKeyConstraint("day", "domain", "policy", "record", "failure", "host", "address", name="tls_result_pkey"),
    comment="TLS sessions with other providers by day and domain, until they are reported (RFC 8460)",
)
