"""The snapshot of a maildrop: the messages that a session sees from its login to its end, and its marks (RFC 1939 5)."""

import re
from array import array

from mailstore_api.wire import Maildrop
from pop_imap_frontend.pop3 import refusals
from pop_imap_frontend.pop3.refusals import Refused

_LF = re.compile(b"\n")


class MaildropView:
    """UIDs and sizes by position (message number - 1). Deletions are only marks until QUIT."""

    def __init__(self, drop: Maildrop) -> None:
        self.uidvalidity = drop.uidvalidity
        self.folder_id = drop.folder_id
        self.uids = array("I", drop.uids)
        self.sizes = array("I", drop.sizes)
        self._uidls = drop.uidls
        self._ends = array("I", [found.start() for found in _LF.finditer(drop.uidls)])
        self.deleted: set[int] = set()
        self.octets = sum(self.sizes)
        """Size of the messages that are not marked deleted, as STAT answers it."""

    def position(self, argument: str) -> int:
        """Return the position of the message that `argument` names; raises Refused if it does not exist or is marked deleted."""
        if not (argument.isascii() and argument.isdecimal() and len(argument) <= 10):
            raise Refused(refusals.SYNTAX)
        at = int(argument) - 1
        if not 0 <= at < len(self.uids):
            raise Refused(refusals.NO_SUCH)
        if at in self.deleted:
            raise Refused(refusals.DELETED)
        return at

    def uidl(self, at: int) -> str:
        """Return the unique-id of the message at position `at` (RFC 1939 7): of an imported one, that of the other system."""
        if self._uidls:
            start = self._ends[at - 1] + 1 if at else 0
            end = self._ends[at] if at < len(self._ends) else len(self._uidls)
            if end > start:
                return self._uidls[start:end].decode()
        return f"{self.uidvalidity}.{self.uids[at]}"

    def present(self) -> list[int]:
        """Return the positions of the messages that are not marked deleted."""
        return [at for at in range(len(self.uids)) if at not in self.deleted]

    def mark(self, at: int) -> None:
        """Mark the message at position `at` deleted."""
        self.deleted.add(at)
        self.octets -= self.sizes[at]

    def reset(self) -> None:
        """Take all marks back."""
        self.octets += sum(self.sizes[at] for at in self.deleted)
        self.deleted.clear()

    def marked(self) -> bytes:
        """Return the packed UIDs of the messages marked deleted."""
        return self.pack(sorted(self.deleted))

    def pack(self, positions: list[int]) -> bytes:
        """Return the packed UIDs of `positions`."""
        return array("I", [self.uids[at] for at in positions]).tobytes()
