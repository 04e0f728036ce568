"""Usage and limits of a mailbox, as IMAP shows them to its owner (RFC 9208)."""

from uuid import UUID

from mailkit.rpc.wire import Wire
from mailstore_api.wire.common import VERSION


class QuotaQuestion(Wire):
    """Question for the usage of a mailbox. The quota limit is that of the login (decision 5)."""

    mailbox_id: UUID
    quota_limit: int
    limit_version: int
    version: int = VERSION
    proof: bytes = b""


class QuotaAnswer(Wire):
    """`charged`: octets that count against `limit`, those for the messages' rows included (decision 35)."""

    charged: int
    limit: int
    messages: int
    message_limit: int
    version: int = VERSION
