"""The tables of schema `mailstore`, as the migrations make them.

Keys of mailbox data begin with the mailbox, so that the tables can be sharded by it (decision 14).
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from mailkit.postgres import tables
from mailkit.postgres.tables import time

SCHEMA = "mailstore"
metadata = MetaData(schema=SCHEMA)


#: `usage` in octets, exact. `quota_limit` is that of the highest `limit_version` seen (decision 5). `purged_at` makes the row
#: a tombstone: a late delivery is answered 5.1.1. `quota_warned_at`: the owner was warned, and is not again until the usage has
#: been much less (docs/decisions/0057). `recoverable_…`: the last number given to a message that can be undeleted, how many
#: there are and their octets; `since` is the time of the oldest, -infinity if they are more than are kept (docs/decisions/0120).
mailbox = Table(
    "mailbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("usage", BigInteger, nullable=False, server_default=text("0")),
    Column("quota_limit", BigInteger, nullable=False, server_default=text("0")),
    Column("limit_version", Integer, nullable=False, server_default=text("0")),
    Column("next_folder_id", Integer, nullable=False, server_default=text("1")),
    Column("last_uidvalidity", BigInteger, nullable=False, server_default=text("0")),
    time("purged_at", nullable=True),
    time("quota_warned_at", nullable=True),
    Column("metadata_version", BigInteger, nullable=False, server_default=text("0")),
    Column("recoverable_last", BigInteger, nullable=False, server_default=text("0")),
    Column("recoverable_messages", BigInteger, nullable=False, server_default=text("0")),
    Column("recoverable_octets", BigInteger, nullable=False, server_default=text("0")),
    time("recoverable_since", nullable=True),
    CheckConstraint("usage >= 0", name="mailbox_usage"),
    Index("mailbox_recoverable", "recoverable_since", postgresql_where=text("recoverable_since is not null")),
)

#: Folder 1 is INBOX. `forgotten_modseq`: tombstones up to it may have been removed. `recent_from`: messages from this UID on
#: are \\Recent for the next read-write session. `messages`, `unseen`, `recent` and `octets` change in the statements that
#: change messages. A null `recent`: they are counted (docs/decisions/0079).
folder = Table(
    "folder",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uidnext", BigInteger, nullable=False, server_default=text("1")),
    Column("highest_modseq", BigInteger, nullable=False, server_default=text("1")),
    Column("forgotten_modseq", BigInteger, nullable=False, server_default=text("0")),
    Column("recent_from", BigInteger, nullable=False, server_default=text("1")),
    Column("messages", Integer, nullable=False, server_default=text("0")),
    Column("unseen", Integer, nullable=False, server_default=text("0")),
    Column("recent", Integer, server_default=text("0")),
    Column("octets", BigInteger, nullable=False, server_default=text("0")),
    Column("special_use", Text, nullable=False, server_default=text("''")),
    Column("keywords", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("mailbox_id", "folder_id", name="folder_pkey"),
    UniqueConstraint("mailbox_id", "name", name="folder_mailbox_id_name_key"),
    Index("folder_cleared", "mailbox_id", "folder_id", postgresql_where=text(r"special_use in ('\Junk', '\Trash')")),
    CheckConstraint("unseen between 0 and messages and octets >= 0", name="folder_counts"),
)

subscription = Table(
    "subscription",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("mailbox_id", "name", name="subscription_pkey"),
)

#: Annotations of a folder, and under folder id 0 of the account (RFC 5464). `version`: the mailbox's `metadata_version` at which
#: the entry was set, by which sessions find what changed (docs/decisions/0067).
annotation = Table(
    "annotation",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("entry", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("mailbox_id", "folder_id", "entry", name="annotation_pkey"),
)

#: Narrow, since flags change; the constant columns of a message are in `rendered`. `sent_at`: Date in UTC, null if there is
#: none. `saved_at`: when the message came into this folder (RFC 8514); null for those of releases before 0007. `uidl`: what another
#: system told POP3 clients, null for "<uidvalidity>.<uid>" (docs/decisions/0105).
message = Table(
    "message",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("body_id", Uuid, nullable=False),
    Column("prefix", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("flags", BigInteger, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    time("internaldate"),
    Column("open_end", Boolean, nullable=False, server_default=text("false")),
    time("sent_at", nullable=True),
    time("saved_at", nullable=True),
    Column("uidl", Text),
    PrimaryKeyConstraint("mailbox_id", "folder_id", "uid", name="message_pkey"),
    Index("message_modseq", "mailbox_id", "folder_id", "modseq"),
    Index("message_body", "body_id"),
    Index("message_deleted", "mailbox_id", "folder_id", "uid", postgresql_where=text("flags & 4 <> 0")),
)

#: Values as IMAP sends them (decision 7), the texts that SEARCH compares, and from `message_id` on what SORT and THREAD compare
#: (mime/sort_keys.py). Rows of releases before 0007 have null there and other texts until upkeep fills them in (decision 0059).
rendered = Table(
    "rendered",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("bodystructure", LargeBinary, nullable=False),
    Column("parts", LargeBinary, nullable=False),
    Column("sent_day", Date),
    Column("subject", Text, nullable=False),
    Column("from_", Text, nullable=False),
    Column("to_", Text, nullable=False),
    Column("cc", Text, nullable=False),
    Column("bcc", Text, nullable=False),
    Column("message_id", Text),
    Column("references_", Text),
    Column("base_subject", Text),
    Column("derived", Boolean),
    Column("from_mailbox", Text),
    Column("to_mailbox", Text),
    Column("cc_mailbox", Text),
    Column("from_display", Text),
    Column("to_display", Text),
    PrimaryKeyConstraint("mailbox_id", "folder_id", "uid", name="rendered_pkey"),
    Index("rendered_unfilled", "mailbox_id", "folder_id", "uid", postgresql_where=text("message_id is null")),
    Index(
        "rendered_big",
        "mailbox_id",
        "folder_id",
        "uid",
        postgresql_where=text("octet_length(envelope) + octet_length(body) + octet_length(bodystructure) > 65536"),
    ),
)

#: The text index (mime/signature.py, docs/decisions/0078). A null `signature`: the text is too long, and is searched itself.
text_signature = Table(
    "text_signature",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("signature", LargeBinary),
    PrimaryKeyConstraint("mailbox_id", "folder_id", "uid", name="text_signature_pkey"),
)

expunged = Table(
    "expunged",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("folder_id", Integer, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    time("at"),
    PrimaryKeyConstraint("mailbox_id", "folder_id", "uid", name="expunged_pkey"),
    Index("expunged_modseq", "mailbox_id", "folder_id", "modseq"),
    Index("expunged_at", "at"),
)

#: Expunged messages that can be undeleted, numbered in the order of their deletion. `folder`: its name then, for a folder that is
#: deleted too. They refer to their bodies, and do not count against the quota (docs/decisions/0120).
recoverable = Table(
    "recoverable",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("number", BigInteger, nullable=False),
    time("at"),
    Column("folder_id", Integer, nullable=False),
    Column("folder", Text, nullable=False),
    Column("body_id", Uuid, nullable=False),
    Column("prefix", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("flags", BigInteger, nullable=False),
    time("internaldate"),
    Column("open_end", Boolean, nullable=False),
    PrimaryKeyConstraint("mailbox_id", "number", name="recoverable_pkey"),
    Index("recoverable_body", "body_id"),
)

#: Completed hand-overs (decision 3), partitioned by the time-ordered queue id; `at` and `body_id` are null for those of releases before 0011.
filed = Table(
    "filed",
    metadata,
    Column("queue_id", Uuid, nullable=False),
    Column("mailbox_id", Uuid, nullable=False),
    time("at", nullable=True),
    Column("body_id", Uuid),
    PrimaryKeyConstraint("queue_id", "mailbox_id", name="filed_pkey"),
    postgresql_partition_by="RANGE (queue_id)",
)

#: The first fetch of each message, partitioned by the time in the body's id, which is that of the acceptance (docs/decisions/0081).
fetched = Table(
    "fetched",
    metadata,
    Column("body_id", Uuid, nullable=False),
    Column("mailbox_id", Uuid, nullable=False),
    time("at"),
    Column("protocol", Text, nullable=False),
    PrimaryKeyConstraint("body_id", "mailbox_id", name="fetched_pkey"),
    postgresql_partition_by="RANGE (body_id)",
)

#: Moves to Junk or Trash, and deletions: a row for up to 100 messages that changed together; `folder` is where they came to, or
#: from which they were deleted. `purged`: all `messages` of the mailbox, without their bodies.
event = Table(
    "event",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("mailbox_id", Uuid, nullable=False),
    time("at"),
    Column("kind", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("bodies", ARRAY(Uuid), nullable=False),
    Index("event_mailbox", "mailbox_id", "id"),
    postgresql_partition_by="RANGE (id)",
)

#: The messages of another system that were imported, whatever became of them, so that they are imported once.
imported = Table(
    "imported",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("key", Uuid, nullable=False),
    PrimaryKeyConstraint("mailbox_id", "key", name="imported_pkey"),
)

maildrop_lease = Table(
    "maildrop_lease",
    metadata,
    Column("mailbox_id", Uuid, primary_key=True),
    Column("session_id", Uuid, nullable=False),
    time("until"),
)

#: Answers of changes, kept for 10 minutes, so that a repeated call changes nothing again.
operation = Table(
    "operation",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    time("made_at"),
    PrimaryKeyConstraint("mailbox_id", "id", name="operation_pkey"),
    Index("operation_made", "made_at"),
)

tables.singleton(metadata)

#: Used by releases before 0007, to which a rollout may go back.
backfill = Table(
    "backfill",
    metadata,
    Column("name", Text, primary_key=True),
    Column("mailbox_id", Uuid, nullable=False, server_default=text("'00000000-0000-0000-0000-000000000000'")),
    Column("folder_id", Integer, nullable=False, server_default=text("0")),
    Column("uid", BigInteger, nullable=False, server_default=text("0")),
    Column("done", Boolean, nullable=False, server_default=text("false")),
)

tables.schema_min_code(metadata)
