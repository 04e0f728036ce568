"""The tables of schema `queue`, defined once; the revisions in `migrations/` build them."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from mailkit.postgres import tables
from mailkit.postgres.tables import time

SCHEMA = "queue"
metadata = MetaData(schema=SCHEMA)


#: One accepted message with recipients still under way. `sender_*`: where its bounce goes when the sender is local.
message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("mail_from", Text, nullable=False),
    Column("body_id", Uuid, nullable=False),
    Column("size", BigInteger, nullable=False),
    time("first_seen"),
    time("expires", comment="When delivery is given up (S8)"),
    Column("account", Uuid),
    Column("client_address", Text),
    Column("eight_bit", Boolean, nullable=False),
    Column("smtputf8", Boolean, nullable=False),
    Column("bounce", Boolean, nullable=False),
    Column("sender_mailbox", Uuid, comment="Where a bounce goes when the sender is a mailbox of ours"),
    Column("sender_limit", BigInteger, nullable=False),
    Column("sender_limit_version", Integer, nullable=False),
    Index("message_body", "body_id"),
    comment="Messages with recipients under way; the row leaves with the last of them",
)

#: One recipient under way; the row leaves when it is delivered or failed. `destination` is "" for a mailbox of ours,
#: else the remote domain. State `waiting`: `due` is when it is tried next. State `claimed`: a worker has it and `due`
#: is the end of its lease, so every row that is due may be claimed. `attempt` is the fence: it grows with every claim,
#: and every write names it. `dot_sent`: the final dot may have gone out (decision 6).
recipient = Table(
    "recipient",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("destination", Text(collation="C"), nullable=False, comment="Remote domain; empty for a mailbox of ours"),
    Column("address", Text, nullable=False),
    Column("original", Text, nullable=False),
    Column("mailbox_id", Uuid),
    Column("quota_limit", BigInteger, nullable=False),
    Column("limit_version", Integer, nullable=False),
    Column("looped", Boolean, nullable=False, comment="The message came with our Delivered-To for this recipient"),
    Column(
        "state", Text, nullable=False, comment="waiting: tried when due; claimed: a worker has it until its lease ends"
    ),
    time("due", comment="waiting: the next try; claimed: the end of the lease. What is due may be claimed"),
    Column(
        "attempt",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="The fence: grows with every claim, every write names it",
    ),
    Column(
        "tries",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="Attempts that ended and did not end the matter",
    ),
    Column("worker", Uuid),
    time("claimed_at", nullable=True),
    Column(
        "dot_sent",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="The final dot of this attempt may have gone out",
    ),
    Column(
        "in_doubt",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="Attempts that may have delivered: the reply to their dot is unknown",
    ),
    Column("status", Text, nullable=False, server_default=text("''")),
    Column("reply", Text, nullable=False, server_default=text("''")),
    Column("remote_host", Text),
    Column("diagnostic", Text),
    Column(
        "flow",
        Uuid,
        nullable=False,
        server_default=text("'00000000-0000-0000-0000-000000000000'"),
        comment="Account, client network or sender that it is sent for: shares are by flow",
    ),
    Column("database_life", Text, comment="Timeline and start of the database that the claim was made in"),
    Column(
        "via",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="The address of ours whose forward or catch-all leads to it",
    ),
    time("held_at", nullable=True, comment="Since when an operator holds it; its due time is then the year 9999"),
    PrimaryKeyConstraint("message_id", "n", name="recipient_pkey"),
    CheckConstraint("state in ('waiting', 'claimed')", name="recipient_state"),
    CheckConstraint("(state = 'claimed') = (worker is not null and claimed_at is not null)", name="recipient_claim"),
    CheckConstraint("(destination = '') = (mailbox_id is not null)", name="recipient_destination"),
    Index("recipient_local_due", "due", postgresql_where=text("mailbox_id is not null")),
    # its condition is another, so that no plan claims a pair's recipients by it
    Index("recipient_remote_due", "due", postgresql_where=text("destination <> ''")),
    Index("recipient_remote_flow", "destination", "flow", "due", postgresql_where=text("mailbox_id is null")),
    comment="Recipients under way; a row leaves for queue.finished",
)

#: What clients asked about notifications (RFC 3461): a row for each recipient of a message that came with such parameters.
asked = Table(
    "asked",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("notify", Text, nullable=False),
    Column("orcpt", Text, nullable=False),
    Column("ret", Text, nullable=False),
    Column("envid", Text, nullable=False),
    PrimaryKeyConstraint("message_id", "n", name="asked_pkey"),
    comment="Notifications that clients asked for (RFC 3461); rows leave with the message",
)

#: What operators let wait, mail that is accepted later included: claims leave it alone (docs/decisions/0066).
pause = Table(
    "pause",
    metadata,
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False, comment="A domain, the id of a mailbox, or empty for all"),
    time("since"),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("kind", "value", name="pause_pkey"),
    CheckConstraint("kind in ('all', 'destination', 'account', 'disabled')", name="pause_kind"),
    comment="Destinations and accounts whose mail is not tried; disabled: of a disabled mailbox; all: no mail is",
)
#: Addresses that bounced hard (docs/decisions/0086); written only if POSTRIDER_SUPPRESS_AFTER is set.
suppression = Table(
    "suppression",
    metadata,
    Column("address", Text, nullable=False),
    Column("flow", Uuid, nullable=False, comment="The account, or made of the client without one"),
    Column("bounces", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("reply", Text, nullable=False),
    time("since"),
    time("expires"),
    PrimaryKeyConstraint("address", "flow", name="suppression_pkey"),
    Index("suppression_expires", "expires"),
    comment="Addresses that remote hosts refused for good, by the flow whose mail it was",
)

#: Mail that leaves otherwise than by MX (docs/decisions/0083).
route = Table(
    "route",
    metadata,
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False, comment="A domain, the id of a mailbox, or empty for all"),
    Column("host", Text),
    Column("port", Integer, nullable=False),
    Column("tls", Text, nullable=False),
    Column("username", Text),
    Column("password", Text, nullable=False, comment="Of the smart host; no answer of the API and no view shows it"),
    Column("source_address", Text),
    Column("helo", Text),
    time("changed_at"),
    PrimaryKeyConstraint("kind", "value", name="route_pkey"),
    CheckConstraint("kind in ('all', 'destination', 'sender', 'account')", name="route_kind"),
    comment="Mail that leaves otherwise than by MX, and how",
)
#: What triggers on `recipient` note of each statement; a measurement makes one row of all.
depth_change = Table(
    "depth_change",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("local", BigInteger, nullable=False),
    Column("remote", BigInteger, nullable=False),
    comment="Recipients that entered or left; the sum is the depth. Rows are summed up now and then",
)
#: Finished recipients, for a week: what `queue show` shows of a message that has left. Partitioned by the message's
#: time-ordered id; partitions are dropped whole.
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
    Index("refusal_account", "account", "id", postgresql_where=text("account is not null")),
    postgresql_partition_by="RANGE (id)",
    comment="What smtp-gateway refused, by the time in the id",
)

#: Work that one replica does for all: its holder and the end of the lease; `fence` grows with each new holder.
tables.singleton(metadata, "Work that one replica does: who, until when")

tables.schema_min_code(metadata)
