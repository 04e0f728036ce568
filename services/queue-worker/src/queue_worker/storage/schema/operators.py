"""What operators set, and the addresses that bounced: pauses, routes, suppressions."""

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)

from mailkit.postgres.tables import time
from queue_worker.storage.schema.metadata import metadata

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
    Column("pool", ARRAY(Text), nullable=False, server_default="{}", comment="A HELO name and its addresses each"),
    PrimaryKeyConstraint("kind", "value", name="route_pkey"),
    CheckConstraint(
        "kind in ('all', 'destination', 'sender', 'account', 'bounces', 'forwards', 'named')", name="route_kind"
    ),
    comment="Mail that leaves otherwise than by MX, and how",
)
