"""Tables of domains that move in (docs/decisions/0126)."""

from sqlalchemy import ARRAY, CheckConstraint, Column, ForeignKey, Integer, Table, Text, Uuid

from auth.storage.schema.base import metadata
from mailkit.postgres.tables import time

#: `old`: mail and logins go to the old host; `new`: only those for which there is nothing here.
moves = Table(
    "moves",
    metadata,
    Column(
        "domain",
        Text,
        ForeignKey("auth.domains.name", onupdate="cascade", ondelete="cascade"),
        primary_key=True,
    ),
    Column("phase", Text, nullable=False),
    Column("imap_host", Text),
    Column("imap_port", Integer),
    Column("pop3_host", Text),
    Column("pop3_port", Integer),
    # from which the old host sends mail: for the moving domain it is a loop
    Column("networks", ARRAY(Text), nullable=False),
    time("started_at"),
    time("changed_at"),
    CheckConstraint("phase in ('old', 'new')", name="moves_phase"),
    CheckConstraint("imap_host is not null or pop3_host is not null", name="moves_hosts"),
    CheckConstraint("cardinality(networks) <= 100", name="moves_networks"),
)

#: Mailboxes that a login at the old host made: their mail is there until the next switch of the domain.
moving_mailboxes = Table(
    "moving_mailboxes",
    metadata,
    Column("mailbox_id", Uuid, ForeignKey("auth.mailboxes.id", ondelete="cascade"), primary_key=True),
)
