"""The history and the trace, in partitions by the time in their ids: hand-overs, attempts, ends, refusals."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from mailkit.postgres.tables import time
from queue_worker.storage.schema.metadata import metadata

VERDICTS = "What SPF, DKIM, ARC, DMARC and a scanner found: a JSON list"

#: Finished recipients, for a week: what `queue show` shows of a message that has left, through the view `queue.history`. Partitioned
#: by the message's time-ordered id; partitions are dropped whole. The order of the columns, none of which is null, leaves no gaps
#: (docs/decisions/0080).
ended = Table(
    "ended",
    metadata,
    time("finished_at"),
    Column("message_id", Uuid, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("tries", SmallInteger, nullable=False),
    Column("in_doubt", SmallInteger, nullable=False),
    Column("tls", SmallInteger, nullable=False, comment="Row of queue.tls; 0: none"),
    Column("local", Boolean, nullable=False),
    Column("state", Text, nullable=False, comment="d: delivered, f: failed, e: expired, r: removed"),
    Column("address", Text, nullable=False),
    Column("original", Text, nullable=False, comment="Empty: as address"),
    Column("status", Text, nullable=False, comment="Empty for 2.0.0 of a delivery"),
    Column("reply", Text, nullable=False, comment="Empty for that of a filing"),
    Column("remote_host", Text, nullable=False),
    Column("remote_address", Text, nullable=False),
    Column("acted", Text, nullable=False, comment="Operations of operators that changed it, an array; empty: none"),
    Column("via", Text, nullable=False, comment="The address of ours whose forward or catch-all led to it"),
    Column("sender", Text, nullable=False, comment="The envelope sender of this copy; empty for the message's"),
    Column(
        "policy",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="The TLS policy of the host and the record that asks for it, in parentheses; empty: none",
    ),
    PrimaryKeyConstraint("message_id", "n", name="ended_pkey"),
    CheckConstraint("state in ('d', 'f', 'e', 'r')", name="ended_state"),
    postgresql_partition_by="RANGE (message_id)",
    comment="Where recipients that left went; queue.history shows it",
)

#: The TLS of outbound connections, some dozens of texts that `ended` names by number.
tls = Table(
    "tls",
    metadata,
    Column("id", SmallInteger, Identity(always=True), primary_key=True),
    Column("facts", Text, nullable=False),
    UniqueConstraint("facts", name="tls_facts"),
    comment="TLS versions and ciphers of outbound connections, verified or not",
)

#: What code before 0023 wrote in place of `ended`, for as long as its rows are kept.
finished = Table(
    "finished",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("mail_from", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("original", Text, nullable=False),
    Column("mailbox_id", Uuid),
    Column("state", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Column("remote_host", Text),
    Column("tries", Integer, nullable=False),
    Column("in_doubt", Integer, nullable=False),
    time("first_seen"),
    time("finished_at"),
    Column("connection", Text, comment="Address of the host, TLS version and cipher, verified or not"),
    Column("acted", ARRAY(Uuid), comment="Operations of operators that changed it, the last twenty"),
    Column("via", Text, comment="The address of ours whose forward or catch-all led to it"),
    Column("sender", Text, comment="The envelope sender of this copy, if it was not the message's"),
    PrimaryKeyConstraint("message_id", "n", name="finished_pkey"),
    CheckConstraint("state in ('delivered', 'failed', 'expired', 'removed')", name="finished_state"),
    postgresql_partition_by="RANGE (message_id)",
    comment="Where recipients that left went, for a week",
)

#: Attempts that were not final, partitioned like `finished`: the replies before the last one.
attempt = Table(
    "attempt",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    time("at"),
    Column("outcome", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Column("remote_host", Text),
    Column("connection", Text, comment="Address of the host, TLS version and cipher, verified or not"),
    Column("notice", Uuid, comment="The notice of the delay that the sender was sent after it"),
    PrimaryKeyConstraint("message_id", "n", "attempt", name="attempt_pkey"),
    CheckConstraint("outcome in ('deferred', 'in_doubt')", name="attempt_outcome"),
    postgresql_partition_by="RANGE (message_id)",
    comment="Earlier attempts, for a week",
)

#: Hand-over ids (decision 3), partitioned by the time-ordered id itself, so that they stay unique across midnight, with what
#: the trace tells of the message (docs/decisions/0071). The indexes on account and header_id are those of each partition.
submission = Table(
    "submission",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("queue_id", Uuid, nullable=False),
    time("at", nullable=True, comment="When it was accepted; null: by code before 0011"),
    Column("mail_from", Text),
    Column("size", BigInteger),
    Column("account", Uuid),
    Column("client_address", Text),
    Column("listener", Text),
    Column("tls", Text),
    Column("helo", Text),
    Column("by", Text, comment="The right to relay: auth, grant or none"),
    Column("account_address", Text),
    time("granted_at", nullable=True, comment="When the login was that gave the grant"),
    Column("header_id", Text, comment="Message-ID of its header"),
    Column("bounce_of", Uuid, comment="The message whose non-delivery it reports"),
    Column("verdicts", Text, comment=VERDICTS),
    postgresql_partition_by="RANGE (id)",
    comment="Hand-over ids by their own time: a repeated hand-over is the same message",
)

#: What smtp-gateway refused, partitioned by the time-ordered id that it made (docs/decisions/0069).
refusal = Table(
    "refusal",
    metadata,
    Column("id", Uuid, primary_key=True),
    time("at"),
    Column("client_address", Text),
    Column("listener", Text, nullable=False),
    Column("tls", Text),
    Column("helo", Text),
    Column("by", Text, nullable=False),
    Column("account", Uuid),
    Column("account_address", Text),
    Column("mail_from", Text),
    Column("recipients", ARRAY(Text), nullable=False),
    Column("recipient_count", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("command", Text, nullable=False),
    Column(
        "rule",
        Text,
        nullable=False,
        comment="Row of the contract, or the reason that postrider_gateway_rejected_total counts",
    ),
    Column("reply", Text, nullable=False),
    Column(
        "times",
        Integer,
        nullable=False,
        comment="Over 1: that many refusals by the rule, which were not recorded singly",
    ),
    Column("verdicts", Text, comment=VERDICTS),
    Index("refusal_account", "account", "id", postgresql_where=text("account is not null")),
    postgresql_partition_by="RANGE (id)",
    comment="What smtp-gateway refused, by the time in the id",
)

#: What operators did, partitioned by the time-ordered id (docs/decisions/0084).
operation = Table(
    "operation",
    metadata,
    Column("id", Uuid, primary_key=True),
    time("at"),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("filter", Text, comment="Of an action on recipients: which, as JSON; null: named by ids, or all"),
    Column("kind", Text, comment="Of a pause or a route: what it is for, with value"),
    Column("value", Text),
    Column("recipients", Integer),
    CheckConstraint("(kind is null) = (value is null)", name="operation_kind"),
    Index("operation_standing", "kind", "value", "id", postgresql_where=text("kind is not null")),
    postgresql_partition_by="RANGE (id)",
    comment="What operators did to the queue: a row for each batch, pause, route and their ends",
)
