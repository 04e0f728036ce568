"""Messages for the MIME tests: the pitfalls met in mail, one by one, and a generator of ordinary and of broken ones.

Used by the mailstore's own tests and by the comparison with Dovecot in `tests/interop`.
"""

import base64
import random

#: Values of address fields: names, groups, routes, comments, 8-bit, and what breaks.
ADDRESSES = [
    b"a@b",
    b"<a@b>",
    b"A B <a@b>",
    b'"A B" <a@b>',
    b'"A \\"x\\" B" <a@b>',
    b"a@b (Comment)",
    b"a@b (Com (nested) ment)",
    b"(c) a@b",
    b"A (c) B <a@b>",
    b"A, B <a@b>",
    b"Group: a@b, C <c@d>;",
    b"Group:;",
    b"Undisclosed recipients:;",
    b"undisclosed-recipients: ;",
    b"G: a@b; , c@d",
    b"<@r1,@r2:a@b>",
    b"<@r1:a@b>",
    b"<@:a@b>",
    b"a",
    b"a b c",
    b'"quoted"',
    b'"quoted local"@d',
    b"<>",
    b"N <>",
    b"a@",
    b"@b",
    b"a@b@c",
    b"<a@b",
    b"N <a@b",
    b"a@[1.2.3.4]",
    b"<a@[IPv6:::1]>",
    b"a@b, ",
    b", a@b",
    b"a@b,,c@d",
    b"",
    b" ",
    b"(only comment)",
    b'"unterminated <a@b>',
    b"A <a@b> trailing",
    b"=?utf-8?Q?J=C3=B6rg?= <j@x>",
    b'"=?utf-8?Q?J=C3=B6rg?=" <j@x>',
    b"J\xc3\xb6rg <j@x>",
    b"J\xf6rg <j@x>",
    b"j\xc3\xb6rg@ex\xc3\xa4mple.org",
    b".a@b",
    b"a..b@c",
    b"a.@b",
    b"J. R. Smith <j@r>",
    b"J.R.Smith <j@r>",
    b"A\r\n B <a@b>",
    b"A <a@b>,\r\n B <b@c>",
    b"A <a@b>,\r\n\tB <b@c>",
    b'"a\r\n b" <a@b>',
    b"a@b; c@d",
    b"A  B <a@b>",
    b'"A  B" <a@b>',
    b'" A " <a@b>',
    b"A\tB <a@b>",
    b'"A\tB" <a@b>',
    b"a@b <c@d>",
    b"A <a b@c>",
    b"A <a@b c>",
    b'"a,b" <a@b>',
    b"\\a <b@c>",
    b"a@b\\",
    b'G: "x y" <a@b>, z@z (q) ; tail',
    b"G: a@b",
    b"G: <a@b>; <c@d>",
    b"a (x) @ b (y)",
    b"A <(c)a@b>",
    b"A <a@b(c)>",
    b"A <a@b> (c)",
    b"<a@b> (c)",
    b"mailto:a@b",
    b"a:b:c;",
    b":;",
    b'"":;',
    b'"" <a@b>',
    b"a;b",
    b"[x]",
    b"a@[",
    b"O'Neil <o'n@x.y>",
    b"a%b@c",
    b"a@b (x\\)y)",
    b"a@b (x",
    b"<a@b>,<c@d>",
    b"A<a@b>",
    b'"A"<a@b>,B<c@d>',
    b'"A" B <a@b>',
    b'A "B" <a@b>',
    b"A.B C. <a@b>",
    b"NIL",
    b'"NIL" <nil@nil>',
    b"{3} <a@b>",
    b"a@b (one) (two)",
    b'"a\\b" <a@b>',
    b'"a\\\\b" <a@b>',
    b'"\\"\\"\\"\\"\\"" <a@b>',
    b"=?iso-8859-1?q?a?= =?iso-8859-1?q?b?= <a@b>",
    b"a@b (=?utf-8?q?x?=)",
    b"A <a@b>, , B <c@d>",
    b"<a@b> <c@d>",
    b"a@b c@d",
    b"A:B <a@b>",
    b'A <"a b"@c>',
    b'A <"a\\"b"@c>',
    b"@",
    b"<@>",
    b"<@a>",
    b"<@a:>",
    b"<@a:b>",
    b"<:a@b>",
    b"<a>",
    b"X <a>",
    b"<a@>",
    b"X <@b>",
    b"a@b>",
    b"(((",
    b")))",
    b'"',
    b'""',
    b'"" ""',
    b'""@b',
    b'<""@b>',
    b"a .b <a@b>",
    b"G:a@b,;",
    b"G:,a@b;",
    b"G:(c);",
    b"G: H: a@b;;",
    b"a,b,c",
    b"a b, c d",
]

#: Values of unstructured fields: white space, folding, quoting, 8-bit.
TEXTS = [
    b"plain",
    b"",
    b" ",
    b"  ",
    b"  two",
    b"a  b",
    b"a\tb",
    b"a\r\n b",
    b"a\r\n\tb",
    b"a \r\n b",
    b"a\r\n  b",
    b"\r\n a",
    b"a ",
    b"a\r\n ",
    b"a\r\n \r\n b",
    b'"q"',
    b"b\\s",
    b"=?utf-8?B?w7Y=?=",
    b"\xc3\xb6",
    b"\xf6",
    b"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=",
    b"a\x01b",
    b"\x7f",
    b"a\rb",
    b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    b"\t",
    b"\ta",
    b"a\t",
    b'a"b\\c"d"e"f"',
    b"{3}",
    b"NIL",
]

#: Content-Type values: parameters, RFC 2231, comments, and what breaks.
TYPES = [
    b"text/plain",
    b"TEXT/HTML; charset=utf-8",
    b'text/plain; charset="utf-8"; format=flowed',
    b"text",
    b"text/",
    b"/plain",
    b"text/plain;",
    b"text/plain; ",
    b"text/plain;;charset=x",
    b"text/plain; charset",
    b"text/plain; charset=",
    b'text/plain; charset=""',
    b"text/plain; =x",
    b"text/plain; charset = x",
    b'text/plain; charset="a b"; name=x y',
    b"text/plain; name==?utf-8?q?x?=; charset=a",
    b'text/plain; name="=?utf-8?q?x?="',
    b"text/plain; name=a/b.c",
    b"text/plain; name=(c)x",
    b"text/plain (comment); charset=us-ascii (c)",
    b"(c) text/plain",
    b"text (c) / (d) plain",
    b'text/plain; name="a\\"b"',
    b'text/plain; name="a\r\n b"',
    b"text/plain;\r\n charset=x",
    b"text/plain;\r\n\tcharset=x;\r\n\tname=y",
    b"application/octet-stream",
    b"application/x; a=1; b=2",
    b"application/x; name*=utf-8''a%20b",
    b"application/x; name*0=a; name*1=b",
    b"application/x; name*0*=utf-8''a; name*1=b%; name*2*=%20c",
    b"application/x; name*1=b; name*0=a",
    b"application/x; name*0=a; name*2=c",
    b"application/x; name*0=a; name*1*=c",
    b"application/x; z=1; name*0=a; y=2; Name*1=b",
    b"application/x; b*=u''1; a*=u''2; c=3",
    b"application/x; a*x=1; a*=2",
    b"application/x; a**=1",
    b'application/x; name="\xc3\xb6"',
    b"application/x; name=\xc3\xb6",
    b"multipart/mixed",
    b"multipart/mixed; boundary=x",
    b"multipart/",
    b"multipart",
    b"message/rfc822",
    b"message/partial; id=x",
    b"message/delivery-status",
    b"message/global",
    b"message",
    b"MESSAGE/RFC822; x=y",
    b'image/png; name="x.png"',
    b'"text/plain"',
    b"text /plain",
    b"text/ plain",
    b'text/plain ; charset=x ; y = "z" ',
    b"text/plain; charset=a; charset=b",
    b"",
    b" ",
    b";",
    b"; charset=x",
    b"text;charset=x",
    b'a/b; "c"=d',
    b"text/plain; charset='x'",
    b"text/plain; charset=x;y",
    b"text/plain; name=[x]",
    b'text/plain; name="x" y; z=1',
    b'text/plain; name="unterminated; z=1',
    b"text/plain; name=?; z=1",
    b"te xt/plain",
    b'text/plain; x="\\"\\"\\"\\"\\"\\""',
    b"text/plain; x=y; ; z=w; q",
]

#: Header blocks that are odd as a whole.
HEADERS = [
    b"Subject:x",
    b"Subject :x",
    b"Subject \t:\tx",
    b"SUBJECT: x\r\nsubject: y",
    b"From: a@b\r\nFrom: c@d",
    b"Subject",
    b"Subject\r\nTo: a@b",
    b"no colon here\r\nTo: a@b",
    b": x\r\nTo: a@b",
    b"From x@y Mon\r\nSubject: z",
    b"Subject: x\r\n \r\nTo: a@b",
    b"To: a@b\r\nTo: c@d",
    b"Date: x\r\nDate: y",
    b" lead\r\nSubject: x",
    b"From: a@b\r\nSender:\r\nReply-To: ()",
    b"From: a@b\r\nSender: <>\r\nReply-To: ,",
    b"Sender: a@b\r\nSender:\r\nFrom: x@y\r\nFrom:",
    b"From: G: a@b\r\nFrom: c@d",
    b"Content-Type: text/plain\r\nContent-Type: text/html",
    b"Content-Transfer-Encoding: base64\r\nContent-ID: <x>",
    b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: inline",
    b"Date: Mon, 2 Jan 2006 15:04:05 -0700\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <2@x>\r\n <3@x>",
]

#: Messages that end before they have begun.
STUMPS = [
    b"",
    b"\r\n",
    b"\r\n\r\n",
    b"x",
    b"Subject: x",
    b"Subject: x\r\n",
    b"Subject: x\r\n\r\n",
    b"Subject: x\r\n y",
    b"\r\nbody",
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: message/rfc822",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--",
]

PLAIN = b"Content-Type: text/plain\r\n\r\nhello\r\nworld"
BARE = b"\r\nno header"
RICH = (
    b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
    b'Content-Disposition: attachment; filename="x y.html"\r\nContent-ID: <1@2>\r\nContent-Description: a desc\r\n'
    b"Content-MD5: Q2hlY2s=\r\nContent-Language: en, de\r\nContent-Location: http://x/y\r\n\r\nPGI+\r\n"
)
INNER = (
    b"Content-Type: message/rfc822\r\n\r\nFrom: in@ner\r\nSubject: inner\r\n"
    b'To: "T" <t@t>\r\nTo: u@u\r\n\r\ninner body\r\n'
)


def multipart(boundary: bytes, *parts: bytes, pre: bytes = b"", close: bool = True, sub: bytes = b"mixed") -> bytes:
    """A multipart with its own header; `parts` bring theirs."""
    lines = [b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (sub, boundary), pre]
    lines += [b"--%b\r\n%b\r\n" % (boundary, part) for part in parts]
    if close:
        lines.append(b"--%b--\r\n" % boundary)
    return b"".join(lines)


def structures() -> list[bytes]:
    """MIME trees: nesting, boundaries that begin alike, missing ends, digests, messages within messages."""
    mixed = multipart(b"b", PLAIN)
    found = [
        multipart(b"b", PLAIN, BARE, RICH),
        multipart(b"b", PLAIN, multipart(b"bx", PLAIN, BARE), RICH),
        multipart(b"bx", PLAIN, multipart(b"b", PLAIN, BARE), RICH),
        multipart(b"b", PLAIN, multipart(b"b", PLAIN, BARE), RICH),
        multipart(b"b", PLAIN, multipart(b"c", PLAIN, BARE, close=False), RICH),
        multipart(b"b", PLAIN, multipart(b"bx", PLAIN, BARE, close=False), RICH),
        multipart(b"b", PLAIN, multipart(b"b-1", PLAIN, multipart(b"b-1-2", PLAIN, BARE), BARE), RICH),
        multipart(b"b", PLAIN, multipart(b"c", PLAIN, multipart(b"d", PLAIN, BARE), RICH), BARE, sub=b"related"),
        multipart(b"b", PLAIN, close=False),
        multipart(b"b"),
        multipart(b"b", close=False),
        multipart(b"b", PLAIN, pre=b"preamble\r\nlines\r\n"),
        mixed + b"epilogue\r\n--b\r\nno part",
        multipart(b"b", PLAIN, multipart(b"c", PLAIN) + b"epilogue\r\n", BARE),
        multipart(b"b", INNER),
        multipart(b"b", INNER, PLAIN),
        multipart(b"b", INNER, close=False),
        multipart(b"b", PLAIN, sub=b"digest"),
        multipart(b"b", b"\r\nFrom: d@d\r\nSubject: 1\r\n\r\nx", b"\r\nFrom: e@e\r\n\r\ny", sub=b"digest"),
        multipart(b"b", b"Content-ID: <x>\r\n\r\nFrom: e@e\r\n\r\ny", PLAIN, sub=b"digest"),
        multipart(b"b", multipart(b"c"), PLAIN),
        multipart(b"b", multipart(b"c", PLAIN, close=False) + b"--b--\r\n", PLAIN),
        multipart(b"b", multipart(b"c", b"Subject: cut", PLAIN)),
        multipart(b"b", b"--c\r\n\r\nx"),
        INNER,
        b"Content-Type: message/rfc822\r\n\r\n" + INNER,
        mixed.replace(b"--b\r\n", b"--b  \r\n"),
        mixed.replace(b"--b\r\n", b"--bjunk\r\n"),
        mixed.replace(b"--b--", b"--b--junk"),
        mixed.replace(b"--b--\r\n", b"--b--"),
        multipart(b"b", PLAIN, BARE)[:-8],
        mixed + b"--b",
        multipart(b"b", PLAIN, close=False) + b"--b\r\n",
        multipart(b"b", PLAIN, close=False) + b"--b",
        multipart(b"a b", PLAIN, BARE),
        multipart(b"b" * 70, PLAIN, BARE),
        multipart(b"b" * 100, PLAIN, BARE),
        multipart(b"'()+_,-./:=?", PLAIN, BARE),
        multipart(b"b", PLAIN + b"\r\n-- \r\nsignature\r\n--\r\n--other", BARE),
        b"Content-Type: text/html\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        multipart(b"b", b"Content-Disposition: a\r\nContent-Disposition: b; x=y\r\nContent-Disposition: c\r\n\r\nx"),
        b"Content-Language: fr\r\nContent-Location: loc\r\nContent-Disposition: inline; x=y\r\n" + mixed,
    ]
    cut = (b"", b"\r\n", b"\r\n\r\n", b"\r\n\r\nFrom: a@b\r\n", b"\r\n\r\nFrom: a@b\r\n\r\n")
    for kind in (b"text/plain", b"message/rfc822", b"multipart/mixed; boundary=c"):
        found += [
            multipart(b"b", b"Content-Type: " + kind + tail) for tail in cut if b"From" not in tail or b"m" in kind
        ]
    for inside in (multipart(b"c", PLAIN, BARE), multipart(b"c", PLAIN, INNER), INNER, b"Content-ID: <x>\r\n\r\nx"):
        found.append(
            multipart(b"b", b"Content-Type: message/rfc822\r\n\r\nMIME-Version: 1.0\r\nFrom: a@a\r\n" + inside)
        )
    return found + [b"From: x@y\r\nMIME-Version: 1.0\r\n" + message for message in found]


def stored(message: bytes) -> bytes:
    """A message as APPEND and SMTP store it: CRLF line ends only."""
    return message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def corpus() -> list[bytes]:
    """Every pitfall, each in a message of its own."""
    messages = list(STUMPS)
    for address in ADDRESSES:
        messages.append(b"From: %b\r\n\r\nbody\r\n" % address)
        messages.append(b"To: q@q, %b, w@w\r\nSender: %b\r\nCc: G: %b;\r\n\r\nbody\r\n" % (address, address, address))
    fields = (
        b"Subject",
        b"Date",
        b"Message-ID",
        b"In-Reply-To",
        b"Content-ID",
        b"Content-Description",
        b"Content-MD5",
        b"Content-Location",
        b"Content-Language",
        b"Content-Transfer-Encoding",
        b"Content-Disposition",
    )
    for text in TEXTS:
        messages += [b"MIME-Version: 1.0\r\n%b: %b\r\n\r\nbody\r\n" % (field, text) for field in fields]
    messages += [header + b"\r\n\r\nbody\r\n" for header in HEADERS]
    content = b"\r\n\r\nFrom: q@w\r\n\r\n--x\r\n\r\npart\r\n--x--\r\n"
    for kind in TYPES:
        messages.append(b"MIME-Version: 1.0\r\nContent-Type: " + kind + content)
        word = kind.replace(b"/", b"")
        last = b"Content-Disposition: " + word + b"\r\n\r\nlast"
        messages.append(multipart(b"q", b"Content-Type: " + kind + content, last))
    return messages + structures()


#: Types of one part: a message or multipart of random lines would be cut in its header.
_FLAT = [kind for kind in TYPES if not kind.lower().startswith((b"multipart", b"message"))]
_WORDS = [b"alpha", b"Beta", b"gamma,", b"delta.", b"(eps)", b"ze\xc3\xa4ta", b"--", b"=?utf-8?Q?=C3=B6?=", b"theta"]


def generate(seed: int) -> bytes:
    """A message made by chance, the same for the same seed: real-looking, with a share of odd fields and cuts."""
    rng = random.Random(seed)
    fields = [
        b"Received: from a.example (a.example [192.0.2.1])\r\n\tby b.example; Mon, 2 Jan 2006 15:04:05 +0000",
        b"Date: Tue, %d Mar 2021 08:09:10 +0100" % rng.randint(1, 28),
        b"Message-ID: <%d@example.org>" % seed,
        b"From: " + rng.choice(ADDRESSES),
        b"To: " + b", ".join(rng.choice(ADDRESSES[:12]) for _ in range(rng.randint(1, 4))),
        b"Subject: " + _fold(rng, b" ".join(rng.choice(_WORDS) for _ in range(rng.randint(1, 12)))),
        b"X-Long: " + b"x" * rng.randint(1, 200),
    ]
    for name in (b"Cc", b"Reply-To", b"Sender", b"Bcc", b"In-Reply-To", b"Content-Language"):
        if rng.random() < 0.2:
            fields.append(name + b": " + rng.choice(ADDRESSES))
    if rng.random() < 0.9:
        fields.append(b"MIME-Version: 1.0")
    rng.shuffle(fields)
    return b"\r\n".join(fields) + b"\r\n" + _entity(rng, 0)


def _fold(rng: random.Random, text: bytes) -> bytes:
    return text.replace(b" ", b"\r\n ", rng.randint(0, 2)) if rng.random() < 0.3 else text


def _entity(rng: random.Random, depth: int, digest: bool = False) -> bytes:
    """Content-* fields, blank line, content."""
    extra = b""
    if rng.random() < 0.3:
        extra += b'Content-Disposition: %b; filename="%b"\r\n' % (
            rng.choice([b"inline", b"attachment"]),
            rng.choice([b"a.txt", b"a b.pdf", b'q\\"q.png', b"x"]),
        )
    if rng.random() < 0.2:
        extra += b"Content-ID: <part.%d@x>\r\nContent-Description: %b\r\n" % (depth, rng.choice(_WORDS))
    kind = rng.random()
    if depth < 4 and kind < 0.45:
        boundary = rng.choice(
            [b"b", b"bx", b"bxy", b"=_%d" % rng.randint(0, 9), b"----=_Part_%d.%d" % (depth, rng.randint(0, 99))]
        )
        sub = rng.choice([b"mixed", b"alternative", b"related", b"digest", b"report"])
        parts = [_entity(rng, depth + 1, sub == b"digest") for _ in range(rng.choice([0, 1, 2, 2, 3, 4]))]
        pre = rng.choice([b"", b"", b"This is MIME.\r\n"])
        whole = multipart(boundary, *parts, pre=pre, close=rng.random() < 0.9, sub=sub)
        return extra + whole + rng.choice([b"", b"", b"", b"epilogue\r\n"])
    if depth < 4 and kind < 0.55:
        head = b"From: %b\r\nSubject: %b\r\nDate: x\r\n" % (rng.choice(ADDRESSES), rng.choice(_WORDS))
        mime = rng.choice([b"", b"MIME-Version: 1.0\r\n"])
        return extra + b"Content-Type: message/rfc822\r\n\r\n" + head + mime + _entity(rng, depth + 1)
    if kind < 0.7:
        data = base64.encodebytes(rng.randbytes(rng.randint(0, 600))).replace(b"\n", b"\r\n")
        return extra + b"Content-Type: application/pdf; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data
    lines = [b" ".join(rng.choice(_WORDS) for _ in range(rng.randint(0, 9))) for _ in range(rng.randint(0, 12))]
    charset = rng.choice(
        [b"", b"Content-Type: text/plain; charset=utf-8\r\n", b"Content-Type: %b\r\n" % rng.choice(_FLAT)]
    )
    # In a digest text without a type is a message, and lines without a blank one are its header.
    return extra + charset + b"\r\n" + (b"\r\n" if digest else b"") + b"\r\n".join(lines)


def ordinary(number: int) -> bytes:
    """The measured mix of about 4 KB: plain, alternative twice, mixed with a PDF; DKIM, two Received, encoded subject."""
    rng = random.Random(number)
    text = b"".join(
        b"%b lorem ipsum dolor sit amet, consetetur sadipscing elitr.\r\n" % rng.choice(_WORDS) for _ in range(40)
    )
    head = (
        b"Return-Path: <sender@example.com>\r\n"
        b"Received: from mail.example.com (mail.example.com [192.0.2.7])\r\n\tby mx.example.org (Postfix) with ESMTPS id 4ABC\r\n"
        b"\tfor <user@example.org>; Tue, 3 Mar 2026 10:11:12 +0000 (UTC)\r\n"
        b"Received: by mail.example.com with SMTP id x1; Tue, 3 Mar 2026 10:11:11 +0000\r\n"
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1;\r\n"
        b"\th=from:to:subject:date:message-id; bh="
        + b"A" * 43
        + b"=;\r\n\tb="
        + b"B" * 72
        + b"\r\n\t "
        + b"C" * 72
        + b"==\r\n"
        b"From: =?utf-8?Q?J=C3=B6rg_M=C3=BCller?= <joerg.mueller@example.com>\r\n"
        b'To: "User, Some" <user@example.org>, Other Person <other@example.org>\r\nCc: third@example.net\r\n'
        b"Subject: =?utf-8?B?w5xiZXIgZGllIFJlY2hudW5n?= number %d\r\nDate: Tue, 3 Mar 2026 11:11:10 +0100\r\n"
        b"Message-ID: <%d.abc@example.com>\r\nMIME-Version: 1.0\r\n" % (number, number)
    )
    plain = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    boundary = b"----=_Part_%d_abcdef" % number
    if number % 4 == 0:
        return head + plain + text
    if number % 4 == 3:
        pdf = base64.encodebytes(rng.randbytes(1200)).replace(b"\n", b"\r\n")
        attached = (
            b'Content-Type: application/pdf; name="bill.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
            b'Content-Disposition: attachment; filename="bill.pdf"\r\n\r\n' + pdf
        )
        return head + multipart(boundary, plain + text[: len(text) // 2], attached)
    html = b'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<html>'
    return head + multipart(boundary, plain + text[: len(text) // 2], html + text[len(text) // 2 :], sub=b"alternative")
