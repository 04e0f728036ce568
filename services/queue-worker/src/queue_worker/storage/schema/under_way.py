"""Messages and recipients under way, and what is counted of them."""

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
    Uuid,
    text,
)

from mailkit.postgres.tables import time
from queue_worker.storage.schema.metadata import metadata

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
    Column(
        "sender_address", Text, comment="Where a bounce goes when the sender is an address of ours that leads elsewhere"
    ),
    Column("traceparent", Text, comment="The trace that its spans belong to (W3C Trace Context)"),
    Column(
        "folder",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="Special use of the folder that its local copies are filed into; empty: INBOX",
    ),
    Column(
        "flags",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="Flags that its local copies get",
    ),
    Column(
        "dmarc_failed",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="It failed DMARC with p=reject: it is never forwarded",
    ),
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
    Column(
        "sender",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="The envelope sender of this copy; empty for the message's",
    ),
    time("held_at", nullable=True, comment="Since when an operator holds it; its due time is then the year 9999"),
    Column(
        "delay_noted",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="The sender has had a notice of the delay",
    ),
    Column("acted", ARRAY(Uuid), comment="Operations of operators that changed it, the last twenty"),
    Column("route", Text, comment="The name of the route that an operator chose"),
    PrimaryKeyConstraint("message_id", "n", name="recipient_pkey"),
    CheckConstraint("state in ('waiting', 'claimed')", name="recipient_state"),
    CheckConstraint("(state = 'claimed') = (worker is not null and claimed_at is not null)", name="recipient_claim"),
    CheckConstraint("(destination = '') = (mailbox_id is not null)", name="recipient_destination"),
    Index("recipient_local_due", "due", postgresql_where=text("mailbox_id is not null")),
    # its condition is another, so that no plan claims a pair's recipients by it
    Index("recipient_remote_due", "due", postgresql_where=text("destination <> ''")),
    Index("recipient_remote_flow", "destination", "flow", "due", postgresql_where=text("mailbox_id is null")),
    comment="Recipients under way; a row leaves for queue.ended",
)

#: What senders asked about notifications (RFC 3461) and TLS (RFC 8689): a row for each recipient of a message that came with such
#: parameters.
asked = Table(
    "asked",
    metadata,
    Column("message_id", Uuid, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("notify", Text, nullable=False),
    Column("orcpt", Text, nullable=False),
    Column("ret", Text, nullable=False),
    Column("envid", Text, nullable=False),
    Column(
        "tls",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="required: REQUIRETLS; optional: TLS-Required: No",
    ),
    PrimaryKeyConstraint("message_id", "n", name="asked_pkey"),
    comment="What senders asked about notifications (RFC 3461) and TLS (RFC 8689); rows leave with the message",
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
