"""Export of a mailbox by an operator: its folders, then messages in order of their UIDs (docs/decisions/0106)."""

from typing import Literal
from uuid import UUID

from mailkit.rpc.wire import Wire
from mailstore_api.wire.common import VERSION


class ExportQuestion(Wire):
    """Which folders does the mailbox have?"""

    mailbox_id: UUID
    version: int = VERSION


class ExportedFolder(Wire):
    """A folder; `keywords` are those of the bits from FIRST_KEYWORD_BIT on."""

    name: str
    folder_id: int
    uidvalidity: int
    uidnext: int
    subscribed: bool
    messages: int
    keywords: list[str]


class ExportedFolders(Wire):
    """No folders: the mailbox was never used."""

    folders: list[ExportedFolder]


class ExportMessages(Wire):
    """The next messages of a folder, with UIDs above `after`."""

    mailbox_id: UUID
    folder_id: int
    after: int = 0
    version: int = VERSION


class ExportedMessage(Wire):
    """A message. `octets` None: it is larger than may be read at once, or its body is lost. `uidl` empty: the usual one."""

    uid: int
    flags: int
    internal_date: float
    uidl: str
    octets: bytes | None


class ExportedMessages(Wire):
    """`more`: there may be further messages."""

    status: Literal["ok", "gone"]
    items: list[ExportedMessage] = []
    more: bool = False
