"""Address fields to IMAP address lists (RFC 5322 3.4 and 4.4, RFC 3501 7.4.2).

Malformed addresses are shown, not dropped: a part that cannot be read becomes MISSING_MAILBOX, MISSING_DOMAIN,
INVALID_ROUTE or SYNTAX_ERROR, as in Dovecot.
"""

import re

from mailstore.mime.lexer import ATEXT, BAD, END, MORE, Lexer
from mailstore.mime.quote import NIL, nstring, text

#: One address in the usual form, up to and including its comma. Other forms are read with the full grammar.
_common = re.compile(
    rb'[ \t\r\n]*+(?:(?:"([^"\\\r\n\x00\x80-\xff]*)"|([%b.]+(?: [%b.]+)*))?[ \t]*<([%b][%b.]*)@([%b][%b.]*)>'
    rb"|([%b][%b.]*)@([%b][%b.]*))[ \t\r\n]*(,|\Z)" % ((ATEXT,) * 10)
).match

#: Limit of the addresses of one message: a short word becomes 30 octets, so this bounds the ENVELOPE.
MAX_ADDRESSES = 4096
#: Limit of the octets of a message's address fields that are read with the full grammar.
MAX_UNCOMMON = 32 * 1024
_END_OF_GROUP = b"(NIL NIL NIL NIL)"


class Patience:
    """Remaining limits of one message's address fields:

    `addresses`, and `octets` read with the full grammar, which takes 50 times as long as the usual form. The rest of a
    field beyond them is not shown.
    """

    __slots__ = ("addresses", "octets")

    def __init__(self) -> None:
        self.addresses = MAX_ADDRESSES
        self.octets = MAX_UNCOMMON


def address_list(value: bytes, patience: Patience | None = None) -> bytes:
    """Return the address list of one field: `((name route mailbox host)...)`, or NIL if it has no address."""
    patience = patience or Patience()
    pos, more = 0, True
    found: list[bytes] = []
    while more and len(found) < patience.addresses:
        if match := _common(value, pos):
            quoted, phrase, mailbox, host, bare, bare_host, comma = match.groups()
            if bare:
                found.append(b"(NIL NIL %b %b)" % (nstring(bare), nstring(bare_host)))
            else:
                name = text(quoted or phrase or None)
                found.append(b"(%b NIL %b %b)" % (name, nstring(mailbox), nstring(host)))
            pos, more = match.end(), bool(comma)
        elif patience.octets > 0:
            reader = _Addresses(value[pos : pos + patience.octets], found)
            more = reader.read()
            pos += reader.pos
            patience.octets -= reader.pos + 1
        else:
            break
    patience.addresses -= len(found)
    return b"(%b)" % b"".join(found) if found else NIL


class _Addresses(Lexer):
    """Tolerant parser of the full grammar, for one address (or group) that is not in the usual form."""

    __slots__ = ("found", "host", "mailbox", "name", "route", "words")

    def __init__(self, value: bytes, found: list[bytes]) -> None:
        super().__init__(value)
        self.found = found
        #: Words of the last local part, complete or not.
        self.words: list[bytes] = []
        self._clear()

    def _clear(self) -> None:
        self.name: bytes | None = None
        self.route: bytes | None = None
        self.mailbox: bytes | None = None
        self.host: bytes | None = None

    def read(self) -> bool:
        """Read one address and the comma after it. False if there is no comma: the rest is not read."""
        step = self.skip()
        if self.found and step == BAD:
            self._add()
        if step != MORE or self._address() == END or not self.at(b","):
            return False
        self.pos += 1
        return True

    def _address(self) -> int:
        start = self.pos
        step = self._group()
        if step == BAD:
            self.pos = start
            step = self._mailbox()
        return step

    def _add(self) -> None:
        self.found.append(
            b"(%b %b %b %b)"
            % (
                text(self.name),
                nstring(self.route),
                nstring(b"MISSING_MAILBOX" if self.mailbox is None else self.mailbox),
                nstring(self.host or b"MISSING_DOMAIN"),
            )
        )
        self._clear()

    def _group(self) -> int:
        """Read group = display-name ":" [mailbox-list] ";". BAD if it is not a group."""
        words: list[bytes] = []
        if self.phrase(words) != MORE or not self.at(b":"):
            return BAD
        self.pos += 1
        step = self.skip()
        self.found.append(b"(NIL NIL %b NIL)" % nstring(b"".join(words)))
        if step == MORE and not self.at(b";"):
            while True:
                self._mailbox()
                if not self.at(b",") or len(self.found) >= MAX_ADDRESSES:
                    break
                self.pos += 1
                if self.skip() != MORE:
                    step = BAD
                    break
        if step != BAD:
            if self.at(b";"):
                self.pos += 1
                step = self.skip()
            else:
                step = BAD
        self.found.append(_END_OF_GROUP)
        return END if step == END else MORE

    def _mailbox(self) -> int:
        start = self.pos
        step = self._name_addr()
        if step == BAD:
            self.pos = start
            step, broken = self._addr_spec()
            if broken and self.name is None and self.mailbox is not None and self.host is None:
                self.name, self.mailbox = self.mailbox, None
        self._add()
        return step

    def _name_addr(self) -> int:
        words: list[bytes] = []
        if self.phrase(words) != MORE or not self.at(b"<"):
            return BAD
        self.name = b"".join(words) or None
        if self._angle_addr() == BAD:
            self.host = b"SYNTAX_ERROR"
        return MORE if self.pos < self.end else END

    def _angle_addr(self) -> int:
        self.pos += 1
        if self.skip() != MORE:
            return BAD
        if self.at(b"@"):
            if self._route() == MORE and self.at(b":"):
                self.pos += 1
            else:
                self.route = b"INVALID_ROUTE"
                if self.pos >= self.end:
                    return BAD
            if self.skip() != MORE:
                return BAD
        if not self.at(b">"):
            if self._local_part() != MORE:
                return BAD
            if self.at(b"@") and self._host() != MORE:
                return BAD
        if not self.at(b">"):
            return BAD
        self.pos += 1
        return self.skip()

    def _route(self) -> int:
        """Read obs-domain-list (RFC 5322 4.4)."""
        hops: list[bytes] = []
        while self.at(b"@"):
            hops.append(b",@" if hops else b"@")
            step = self.domain(hops)
            if step != MORE:
                return step
            while self.skip() == MORE and self.at(b","):
                self.pos += 1
        if self.pos >= self.end:
            return END
        self.route = b"".join(hops)
        return MORE

    def _local_part(self) -> int:
        self.words = []
        step = self.quoted_string(self.words) if self.at(b'"') else self.dot_atom(self.words)
        if step != BAD:
            self.mailbox = b"".join(self.words)
        return step

    def _host(self) -> int:
        words: list[bytes] = []
        step = self.domain(words)
        if step != BAD:
            self.host = b"".join(words)
        return step

    def _addr_spec(self) -> tuple[int, bool]:
        """Read addr-spec = local-part "@" domain; a comment after it is the name. Second result: whether it is malformed."""
        self.comment = b""
        quoted = self.at(b'"')
        step = self._local_part()
        broken = step != MORE
        has_host = False
        if step != END and self.at(b"@"):
            has_host = True
            host_step = self._host()
            if host_step != MORE:
                step = host_step
        if self.comment:
            self.name = self.comment
        elif not has_host:
            # No "@": one word is a mailbox, several are a display name.
            words: list[bytes] = []
            self.phrase(words)
            rest = b"".join(words)
            if rest:
                self.name = b"".join(self.words) + b" " + rest
                self.mailbox = None
            elif not quoted:
                self.host = b""
            step, broken = BAD, True
        return step, broken
