"""Generated messages for the comparison with Dovecot: each is put together by chance from the grammar of headers and MIME.

The same number gives the same message. What is generated is often odd and sometimes broken: addresses with comments,
groups and routes, parameters of RFC 2231, boundaries that begin alike or never end, messages in messages, cut headers.
"""

import base64
import random
from collections.abc import Callable

from tests.support.mime_samples import stored

# fmt: off
_WORDS = [
    b"alpha", b"Beta", b"gamma-3", b"x", b"O'Neil", b"d_e", b"ze\xc3\xa4ta", b"=?utf-8?Q?=C3=B6?=", b"NIL", b"it's",
]
_HOSTS = [b"example.org", b"x", b"a.b.c.example", b"[192.0.2.1]", b"[IPv6:::1]", b"ex\xc3\xa4mple.org", b"EXAMPLE.com"]
_SPACE = [b" ", b" ", b" ", b"  ", b"\t", b"\r\n ", b"\r\n\t", b" \r\n "]
_COMMENTS = [b"(c)", b"(Some One)", b"(a (nested) one)", b"(with \\) quoted)", b"()", b"(\xc3\xb6)", b"(a, b <c@d>; e)"]
_QUOTED = [
    b'"A B"', b'"x, y"', b'"a \\"q\\" b"', b'"back\\\\slash"', b'""', b'"a\r\n b"', b'"\xc3\xb6"', b'"=?utf-8?q?x?="',
    b'"a@b"',
]
_BOUNDARIES = [
    b"b", b"bb", b"bbb", b"b-1", b"b-12", b"=_x", b"=_x.y", b"a b", b"'()+_,-./:=?", b"B", b"-", b"----=_Part_1.2",
    b"x" * 69,
]
_SUBTYPES = [
    b"mixed", b"alternative", b"related", b"digest", b"report", b"signed", b"parallel", b"form-data", b"x-own",
    b"MIXED",
]
_LANGUAGES = [b"en", b"de, en", b"en-GB , fr", b"(c) en", b"en,", b",en", b"i-mingo", b"en de", b'"en"']
_DATES = [
    b"Tue, 2 Mar 2021 08:09:10 +0100", b"2 Mar 21 08:09 GMT", b"Tue, 02 Mar 2021\r\n 08:09:10 +0100 (CET)",
    b"yesterday", b"", b"Tue,  2  Mar",
]
_ODD_FIELDS = [
    b"no colon\r\n", b": no name\r\n", b"Sub ject: x\r\n", b"X\xc3\xb6: y\r\n", b"From nobody Mon\r\n", b"To:\r\n",
    b"Cc: \r\n \r\n",
]
_OTHER_TYPES = [
    b"application/pdf", b"image/png", b"audio/x", b"message/delivery-status", b"message/external-body", b"font/woff",
    b"model/x+y",
]
# fmt: on


class Maker:
    """The pieces of one message, drawn from one generator of random numbers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.one = self.rng.choice

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def some(self, make: Callable[[], bytes], most: int, between: bytes = b"") -> bytes:
        return between.join(make() for _ in range(self.rng.randint(1, most)))

    # -- addresses (RFC 5322 3.4, 4.4)

    def phrase(self) -> bytes:
        words = [self.one(_QUOTED) if self.chance(0.2) else self.one(_WORDS) for _ in range(self.rng.randint(1, 4))]
        if self.chance(0.1):
            words.insert(self.rng.randrange(len(words) + 1), self.one(_COMMENTS))
        return self.one(_SPACE).join(words)

    def addr_spec(self) -> bytes:
        local = self.some(lambda: self.one(_WORDS), 3, b".") if self.chance(0.9) else self.one(_QUOTED)
        if self.chance(0.04):
            return local
        gap = self.one([b"", b"", b"", b"", b"", b"", b" ", b" (c) "])
        return local + gap + b"@" + gap + self.one(_HOSTS)

    def angle(self) -> bytes:
        route = self.one([b"@r1:", b"@r1,@r2:", b"@r1, @r2 :"]) if self.chance(0.05) else b""
        gap = self.one([b"", b"", b"", b"", b" ", b"(c)"])
        return b"<" + gap + route + self.addr_spec() + gap + b">"

    def mailbox(self) -> bytes:
        kind = self.rng.random()
        if kind < 0.35:
            return self.addr_spec()
        if kind < 0.45:
            return self.addr_spec() + b" " + self.one(_COMMENTS)
        if kind < 0.55:
            return self.angle()
        return self.phrase() + self.one([b" ", b" ", b"", b"\r\n "]) + self.angle()

    def address(self) -> bytes:
        if self.chance(0.12):
            inside = b"" if self.chance(0.3) else self.some(self.mailbox, 3, b", ")
            return self.phrase() + b":" + self.one([b"", b" "]) + inside + self.one([b";", b" ;", b"; "])
        return self.mailbox()

    def addresses(self) -> bytes:
        text = self.some(self.address, 4, self.one([b", ", b",", b",\r\n ", b" , ", b",,", b", (c) "]))
        return self.broken(text) if self.chance(0.08) else text

    def broken(self, text: bytes, odd: bytes = b'"()<>@,;:\\[') -> bytes:
        """`text` without one of the octets `odd`, or with one of them too many; not beside a dot (docs/dovecot.md)."""
        at = self.rng.randrange(len(text) + 1)
        if b"." in text[max(0, at - 1) : at + 1]:
            return text
        if text[at : at + 1] in odd:
            return text[:at] + text[at + 1 :]
        return text[:at] + bytes([self.one(odd)]) + text[at:]

    # -- unstructured text (RFC 5322 2.2, RFC 2047, RFC 6532)

    def word(self) -> bytes:
        kind = self.rng.random()
        if kind < 0.6:
            return self.one(_WORDS)
        if kind < 0.75:
            charset = self.one([b"utf-8", b"iso-8859-1", b"UTF-8*en", b"koi8-r", b"nonesuch"])
            if self.chance(0.5):
                return b"=?%b?Q?%b?=" % (charset, self.one([b"a_b", b"=C3=B6", b"=E4", b"=", b""]))
            return b"=?%b?b?%b?=" % (charset, base64.b64encode(self.one(_WORDS)))
        return self.one(
            [b"(c)", b'"q"', b"a\\b", b"J\xf6rg", b"\xe2\x82\xac", b"{3}", b"a,b;c", b"=?broken", b"x" * 200]
        )

    def text(self) -> bytes:
        return b"".join(self.word() + self.one(_SPACE) for _ in range(self.rng.randint(0, 8))) + self.one([b"", b"end"])

    # -- parameters (RFC 2045 5.1, RFC 2231)

    def value(self) -> bytes:
        return self.one([
            b"x", b"utf-8", b'"a b"', b'"a\\"b"', b'""', b'"a;b=c"', b"a.b", b'"\xc3\xb6.txt"', b"\xf6", b'"=?utf-8?Q?x=C3=B6?="',
            b"=?utf-8?b?eA==?=", b'"C:\\\\x"', b'"fold\r\n ed"', b"'x'", b"a+b", b"100%",
        ])  # fmt: skip

    def parameters(self) -> bytes:
        made: list[bytes] = []
        pieces = self.chance(0.6)  # not both forms of RFC 2231 in one field (docs/dovecot.md)
        for name in self.rng.sample(
            [b"charset", b"name", b"format", b"x-own", b"filename", b"size"], self.rng.randint(0, 3)
        ):
            if self.chance(0.6):
                made.append(name + b"=" + self.value())
            elif not pieces:
                made.append(
                    name + b"*=" + self.one([b"utf-8''%C3%B6", b"iso-8859-1'de'%F6", b"''", b"us-ascii'en'x%20y"])
                )
            else:
                made += self.continued(name)
        if self.chance(0.1):
            self.rng.shuffle(made)
        gap = self.one([b"; ", b";", b";\r\n\t", b" ; ", b"; (c) ", b";; "])
        text = b"".join(gap + one for one in made)
        if text and b"*" not in text and self.chance(0.07):
            start = text.index(b";") + 1  # the type itself stays whole (docs/dovecot.md)
            return text[:start] + self.broken(text[start:], b'"<>@:\\[?')
        return text

    def continued(self, name: bytes) -> list[bytes]:
        pieces = []
        encoded = self.chance(0.5)
        for number in range(self.rng.randint(1, 4)):
            if number == 0 and encoded:
                pieces.append(name + b"*0*=utf-8''a%20")
            elif encoded and self.chance(0.5):
                pieces.append(b"%b*%d*=%%C3%%B6" % (name, number))
            else:
                pieces.append(b"%b*%d=%b" % (name, number, self.one([b"p", b'"q r"', b'"%41"'])))
        if len(pieces) > 1 and self.chance(0.1):
            pieces.pop(self.rng.randrange(len(pieces)))
        return pieces

    # -- fields

    def field(self, name: bytes, value: bytes) -> bytes:
        if self.chance(0.05):
            name = self.one([name.upper(), name.lower(), name.swapcase()])
        return name + self.one([b": ", b": ", b": ", b": ", b": ", b":", b" : ", b":\t", b":\r\n "]) + value + b"\r\n"

    def content_fields(self) -> list[bytes]:
        made = []
        if self.chance(0.3):
            made.append(
                self.field(b"Content-Disposition", self.one([b"inline", b"attachment", b"X"]) + self.parameters())
            )
        if self.chance(0.3):
            encoding = self.one(
                [b"7bit", b"8bit", b"base64", b"quoted-printable", b"Base64 (c)", b"x-own", b"", b"a b"]
            )
            made.append(self.field(b"Content-Transfer-Encoding", encoding))
        if self.chance(0.2):
            made.append(self.field(b"Content-ID", self.one([b"<1@x>", b"<a b@x> (c)", b"x", b""])))
        if self.chance(0.2):
            made.append(self.field(b"Content-Description", self.text()))
        if self.chance(0.1):
            made.append(self.field(b"Content-Language", self.one(_LANGUAGES)))
        if self.chance(0.1):
            made.append(self.field(b"Content-Location", self.one([b"http://x/y", b"a b", b"x\r\n y", b"(c) x"])))
        if self.chance(0.1):
            made.append(self.field(b"Content-MD5", b"Q2hlY2s="))
        if self.chance(0.05):
            made += made[-1:]
        self.rng.shuffle(made)
        return made

    def envelope_fields(self) -> list[bytes]:
        made = [self.field(b"From", self.addresses()), self.field(b"Subject", self.text())]
        for name in (b"To", b"Cc", b"Bcc", b"Sender", b"Reply-To", b"Resent-To"):
            if self.chance(0.3):
                made.append(self.field(name, self.addresses()))
        if self.chance(0.7):
            made.append(self.field(b"Date", self.one(_DATES)))
        if self.chance(0.7):
            made.append(self.field(b"Message-ID", self.one([b"<1@x>", b"<1@x> (c)", b"1", b"<a\r\n b@c>", b""])))
        if self.chance(0.2):
            made.append(self.field(b"In-Reply-To", self.one([b"<1@x>", b"<1@x>\r\n <2@x>", b'"Q" of Monday'])))
        if self.chance(0.2):
            made.append(self.field(b"X-Long", b"y" * self.rng.randint(900, 3000)))
        if self.chance(0.1):
            made.append(self.one(_ODD_FIELDS))
        if self.chance(0.1):
            made.append(self.one(made))
        self.rng.shuffle(made)
        return made

    # -- parts (RFC 2046)

    def message(self, depth: int = 0) -> bytes:
        """A header with ENVELOPE fields, and one entity."""
        fields = self.envelope_fields()
        if self.chance(0.9):
            fields.append(b"MIME-Version: 1.0\r\n")
        if depth == 0 and self.chance(0.02):
            return b"".join(fields)
        if self.chance(0.03):
            fields = []
        return b"".join(fields) + self.entity(depth)

    def entity(self, depth: int) -> bytes:
        """Content-* fields, blank line and content."""
        kind = self.rng.random()
        if depth < 5 and kind < 0.5:
            return self.multipart(depth)
        if depth < 5 and kind < 0.6:
            fields = [self.field(b"Content-Type", b"message/rfc822" + self.parameters()), *self.content_fields()]
            return b"".join(fields) + b"\r\n" + self.message(depth + 1)
        if kind < 0.65:
            return b"\r\n" + self.lines()
        if kind < 0.8:
            main = self.one(_OTHER_TYPES)
            data = base64.encodebytes(self.rng.randbytes(self.rng.randint(0, 300))).replace(b"\n", b"\r\n")
        else:
            main = self.one(
                [b"text/plain", b"text/html", b"TEXT/Calendar", b"text/x", b"text", b"text/plain (c)", b"text / plain"]
            )
            data = self.lines()
        fields = [self.field(b"Content-Type", main + self.parameters()), *self.content_fields()]
        self.rng.shuffle(fields)
        return b"".join(fields) + (b"" if self.chance(0.05) else b"\r\n") + data

    def lines(self) -> bytes:
        if self.chance(0.1):
            return b""
        made = []
        for _ in range(self.rng.randint(0, 6)):
            kind = self.rng.random()
            if kind < 0.1:
                made.append(b"-" * self.rng.randint(1, 4) + self.one([b"", b"b", b" b", b"B", b"b--", b"=_"]))
            elif kind < 0.15:
                made.append(b"z" * self.rng.randint(1000, 5000))
            elif kind < 0.3:
                made.append(b"")
            else:
                made.append(self.one(_SPACE[:5]).join(self.one(_WORDS) for _ in range(self.rng.randint(1, 8))))
        return b"\r\n".join(made) + self.one([b"", b"\r\n", b"\r\n"])

    def multipart(self, depth: int) -> bytes:
        boundary, kind = self.one(_BOUNDARIES), self.one(_SUBTYPES)
        written = b'"%b"' % boundary if self.chance(0.7) or not boundary.isalnum() else boundary
        parameter = self.one(
            [b"; boundary=", b";\r\n\tboundary=", b"; BOUNDARY=", b"; charset=x; boundary=", b"; boundary = "]
        )
        head = [self.field(b"Content-Type", b"multipart/" + kind + parameter + written), *self.content_fields()]
        self.rng.shuffle(head)
        made = [*head, b"\r\n", self.one([b"", b"", b"", b"This is MIME.\r\n", b"--\r\n", b"\r\n"])]
        for _ in range(self.one([0, 1, 1, 2, 2, 3, 4])):
            made.append(b"--" + boundary + self.one([b""] * 8 + [b" ", b"\t ", b"x", b"-"]) + b"\r\n")
            made.append(self.entity(depth + 1) + self.one([b"\r\n"] * 15 + [b""]))
        if self.chance(0.88):
            made.append(b"--" + boundary + b"--" + self.one([b"", b" ", b"x", b"\t", b"--"] + [b""] * 20) + b"\r\n")
            if self.chance(0.15):
                made.append(b"\r\n" + self.one([b"epilogue", b"--" + boundary + b"\r\n\r\nno part", b""]) + b"\r\n")
        return b"".join(made)


def generated(number: int) -> bytes:
    """Return the message of that number; some are cut at an octet drawn by chance."""
    maker = Maker(number)
    message = maker.message()
    if maker.chance(0.05):
        message = message[: maker.rng.randrange(1, len(message))]
    if b"\r\n\r\n" not in message and not message.startswith(b"\r\n"):
        message = message[: message.rfind(b"\n") + 1]  # not a header that ends within a line: docs/dovecot.md
    return stored(message)
