"""Worst input for SMTP: every verb as one long line and as many short ones, and what a message can be made of."""

from collections.abc import Callable

from tests.cost.bench import Bench
from tests.cost.case import KB, MB, Case, Play

#: A line of each verb that is well formed, for many of them in a row.
VERBS = {
    "EHLO": b"EHLO client.test",
    "HELO": b"HELO client.test",
    "MAIL": b"MAIL FROM:<a@far.example>",
    "RCPT": b"RCPT TO:<a@far.example>",
    "DATA": b"DATA x",
    "BDAT": b"BDAT 0",
    "RSET": b"RSET",
    "NOOP": b"NOOP",
    "QUIT": b"QUIT x",
    "VRFY": b"VRFY a",
    "EXPN": b"EXPN a",
    "HELP": b"HELP",
    "STARTTLS": b"STARTTLS x",
    "AUTH": b"AUTH NTLM",
    "unknown": b"XYZZY",
}
#: Twice 2 KB and less than a command line may have: what reaches the parser of each argument.
LINE = 4000


def said(make: Callable[[int], bytes], ahead: bytes = b"") -> Play:
    """Say `ahead`, then what `make` returns for a size, in one piece; read until the connection ends."""

    def play(bench: Bench, n: int) -> bytes:
        with bench.smtp() as talk:
            return talk.exchange(ahead + make(n) + b"QUIT\r\n", None)

    return play


def message(make: Callable[[int], bytes], *, segment: int = 256 * KB, settle: bool = True) -> Play:
    """Send a message of about that size to a mailbox here."""

    def play(bench: Bench, n: int) -> bytes:
        with bench.smtp() as talk:
            talk.exchange(b"MAIL FROM:<a@far.example>\r\n", b"\r\n")
            talk.exchange(b"RCPT TO:<%b>\r\n" % bench.taker.address.encode(), b"\r\n")
            talk.exchange(b"DATA\r\n", b"354 ")
            answer = talk.exchange(make(n) + b"\r\n.\r\n", b"\r\n", segment=segment)
            talk.exchange(b"QUIT\r\n", None)
        if settle:
            bench.wait_queue_empty()
        return answer

    return play


def times(unit: bytes, n: int) -> bytes:
    """As often as fits in n octets, once at least."""
    return unit * max(1, n // len(unit))


def header(name: bytes, unit: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    """A message whose one field is `unit` repeated to nearly the size: a larger header than MAX_HEADER_BYTES would be refused."""
    return lambda n: b"%b: %b%b\r\n\r\nbody" % (name, times(unit, n - n // 16), end)


def nested(n: int) -> bytes:
    """Multiparts in multiparts."""
    depth = max(1, n // 60)
    heads = [b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (at, at) for at in range(depth)]
    return b"".join(heads) + b"\r\nx"


def enclosed(n: int) -> bytes:
    """Messages in messages."""
    return times(b"Content-Type: message/rfc822\r\n\r\n", n) + b"Subject: x\r\n\r\nx"


def parts(n: int) -> bytes:
    """A multipart of very many empty parts."""
    return b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + times(b"--b\r\n\r\n", n) + b"--b--"


def almost_boundaries(n: int) -> bytes:
    """Lines that begin as the boundaries of two levels do, and go on."""
    return (
        b'Content-Type: multipart/mixed; boundary="bbbbbbbb"\r\n\r\n--bbbbbbbb\r\n'
        b'Content-Type: multipart/mixed; boundary="bbbbbbbbb"\r\n\r\n' + times(b"--bbbbbbb\r\n--bbbbbbbbbb\r\n", n)
    )


def continued(n: int) -> bytes:
    """RFC 2231 pieces of one parameter, from the last to the first."""
    pieces = [b'; name*%d="x"' % at for at in reversed(range(n // 14))]
    return b"Content-Type: application/x" + b"".join(pieces) + b"\r\n\r\nx"


def many_fields(n: int) -> bytes:
    """Very many short fields."""
    return times(b"a: b\r\n", n) + b"\r\nx"


def _verb_cases() -> list[Case]:
    cases = []
    for verb, line in VERBS.items():
        covers = (f"smtp {verb}",)
        name = line.split()[0]
        cases += [
            Case(
                f"SMTP {verb}, a line of 64 KB",
                covers,
                64 * KB,
                said(lambda n, name=name: name + b" " + b"x" * n + b"\r\n"),
                8 * KB,
            ),
            Case(
                f"SMTP {verb}, 8 KB of such lines",
                covers,
                8 * KB,
                said(lambda n, line=line: times(line + b"\r\n", n)),
                KB,
            ),
        ]
    return cases


_MAIL = b"MAIL FROM:<a@far.example>\r\n"
_ARGUMENTS: list[tuple[str, str, Callable[[int], bytes], bytes]] = [
    ("EHLO", "a name of separators", lambda n: b"EHLO " + times(b".-[:", n) + b"!\r\n", b""),
    ("MAIL", "a quoted local part of escapes", lambda n: b'MAIL FROM:<"' + times(b"\\\\", n) + b"@d>\r\n", b""),
    ("MAIL", "quotes in a row", lambda n: b"MAIL FROM:<" + times(b'""', n) + b"\r\n", b""),
    ("MAIL", "a source route", lambda n: b"MAIL FROM:<" + times(b"@a,", n) + b"@b:c@d>\r\n", b""),
    ("MAIL", "parameters", lambda n: b"MAIL FROM:<a@d>" + times(b" A=B", n) + b"\r\n", b""),
    ("MAIL", "spaces", lambda n: b"MAIL FROM:" + b" " * n + b"x\r\n", b""),
    ("MAIL", "an address of dots", lambda n: b"MAIL FROM:<a@" + times(b"a.", n) + b"b>\r\n", b""),
    ("RCPT", "a quoted local part of escapes", lambda n: b'RCPT TO:<"' + times(b"\\\\", n) + b"@d>\r\n", _MAIL),
    ("RCPT", "a source route", lambda n: b"RCPT TO:<" + times(b"@a,", n) + b"@b:c@d>\r\n", _MAIL),
    ("RCPT", "spaces", lambda n: b"RCPT TO:" + b" " * n + b"x\r\n", _MAIL),
    (
        "RCPT",
        "octets that are not UTF-8",
        lambda n: b"RCPT TO:<" + times(b"\xe9\xff", n) + b"@d>\r\n",
        b"MAIL FROM:<a@far.example> SMTPUTF8\r\n",
    ),
    ("RCPT", "a domain name of 400 characters", lambda n: b"RCPT TO:<a@" + times(b"a.", n // 10) + b"test>\r\n", _MAIL),
    ("VRFY", "an address", lambda n: b"VRFY " + times(b"<@a,", n) + b"\r\n", b""),
    ("AUTH", "a long initial response", lambda n: b"AUTH PLAIN " + times(b"AAAA", n) + b"\r\n", b""),
    ("AUTH", "a response of 64 KB", lambda n: b"AUTH LOGIN\r\n" + times(b"AAAA", n * 16) + b"\r\n", b""),
    ("AUTH", "a PLAIN message of NULs", lambda n: b"AUTH PLAIN " + times(b"AAAA", n) + b"\r\n", b""),
]

_MESSAGES: list[tuple[str, Callable[[int], bytes]]] = [
    ("Delivered-To with spaces", header(b"Delivered-To", b" ", b"b")),
    ("Delivered-To, the field many times", lambda n: times(b"Delivered-To: a@b\r\n", n) + b"\r\nx"),
    ("Received, the field many times", lambda n: times(b"Received: from a by b; x\r\n", n) + b"\r\nx"),
    ("Received with spaces", header(b"Received", b" ", b"b")),
    ("From with commas", header(b"From", b"a@b,")),
    ("From with comments in comments", header(b"From", b"(")),
    ("From with angle brackets", header(b"From", b"<")),
    ("From with empty quotes", header(b"From", b'"" ')),
    (
        "To, half a megabyte of it in many fields",
        lambda n: times(b"To: " + b"a@b," * 2000 + b"\r\n", n // 2) + b"\r\nx",
    ),
    ("From with quotes and escapes", header(b"From", b'"\\"')),
    ("To with groups", header(b"To", b"a:;")),
    ("To with spaces", header(b"To", b" ", b"b")),
    ("To with routes", header(b"To", b"<@a,@b:")),
    ("Subject of encoded words", header(b"Subject", b"=?utf-8?q?a?= ")),
    ("Subject of half encoded words", header(b"Subject", b"=?utf-8?")),
    ("Subject folded very often", header(b"Subject", b"a\r\n ")),
    ("References", header(b"References", b"<a@b> ")),
    ("Date with comments", header(b"Date", b"(a)")),
    ("Date of digits", header(b"Date", b"1")),
    ("Content-Type with parameters", header(b"Content-Type: text/plain; a", b"; b=c")),
    ("Content-Type with continued parameters", continued),
    ("Content-Type with spaces", header(b"Content-Type", b" ", b";")),
    ("Content-Disposition with quotes", header(b"Content-Disposition", b'attachment; a="\\"')),
    ("one line", lambda n: b"x" * n),
    ("a header without end", lambda n: times(b"a: b\r\n", n)),
    ("a header of one field name", lambda n: b"x" * n + b": y\r\n\r\nz"),
    ("very many fields", many_fields),
    ("empty lines", lambda n: b"a: b\r\n\r\n" + times(b"\r\n", n)),
    ("lines of a dot", lambda n: b"a: b\r\n\r\n" + times(b"..\r\n", n)),
    ("bare CR", lambda n: b"a: b\r\n\r\n" + times(b"\r", n)),
    ("bare LF", lambda n: b"a: b\r\n\r\n" + times(b"\n", n)),
    ("CR before CRLF", lambda n: b"a: b\r\n\r\n" + times(b"\r\r\n", n)),
    ("NUL", lambda n: b"a: b\r\n\r\n" + times(b"\0", n)),
    ("multiparts in multiparts", nested),
    ("messages in messages", enclosed),
    ("a multipart of empty parts", parts),
    ("lines like boundaries", almost_boundaries),
    ("base64 of one line", lambda n: b"Content-Transfer-Encoding: base64\r\n\r\n" + times(b"QUJD", n)),
    (
        "quoted-printable of equal signs",
        lambda n: b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + times(b"=", n),
    ),
]


def _handshake(bench: Bench, n: int) -> bytes:
    """Octets that are no TLS after STARTTLS."""
    with bench.smtp() as talk:
        talk.exchange(b"STARTTLS\r\n", b"220 ")
        return talk.exchange(b"x" * n, None)


def _two_octets(bench: Bench, n: int) -> bytes:
    return message(lambda size: b"a: b\r\n\r\n" + times(b"xx", size), segment=2)(bench, n)


def _chunks(bench: Bench, n: int) -> bytes:
    """A message in chunks of one octet, pipelined, which end the connection as too many useless commands do."""
    with bench.smtp() as talk:
        talk.exchange(_MAIL, b"\r\n")
        talk.exchange(b"RCPT TO:<%b>\r\n" % bench.taker.address.encode(), b"\r\n")
        return talk.exchange(times(b"BDAT 1\r\nx", n) + b"QUIT\r\n", None)


def _chunk(bench: Bench, n: int) -> bytes:
    """One chunk of short lines, in one piece."""
    with bench.smtp() as talk:
        talk.exchange(_MAIL, b"\r\n")
        talk.exchange(b"RCPT TO:<%b>\r\n" % bench.taker.address.encode(), b"\r\n")
        text = b"a: b\r\n\r\n" + times(b".\r\n", n)
        answer = talk.exchange(b"BDAT %d LAST\r\n%b" % (len(text), text), b"\r\n")
        talk.exchange(b"QUIT\r\n", None)
    bench.wait_queue_empty()
    return answer


def _recipients(bench: Bench, n: int) -> bytes:
    """One MAIL, n RCPT to mailboxes that are not there, from one network."""
    with bench.smtp() as talk:
        lines = [b"RCPT TO:<nobody%d@%b>\r\n" % (at, bench.domain.encode()) for at in range(n)]
        return talk.exchange(_MAIL + b"".join(lines) + b"QUIT\r\n", None)


CASES: list[Case] = [
    *_verb_cases(),
    *(
        Case(f"SMTP {verb}, {what}", (f"smtp {verb}",), LINE, said(make, ahead), LINE // 4)
        for verb, what, make, ahead in _ARGUMENTS
    ),
    *(Case(f"DATA, {what}", ("smtp DATA",), MB, message(make), 32 * KB) for what, make in _MESSAGES),
    Case("SMTP STARTTLS, 64 KB that are no handshake", ("smtp STARTTLS",), 64 * KB, _handshake, 8 * KB),
    Case("DATA, 512 KB in segments of two octets", ("smtp DATA",), MB // 2, _two_octets, 16 * KB),
    Case("BDAT, 8 KB of chunks of one octet", ("smtp BDAT",), 8 * KB, _chunks, KB),
    Case("BDAT, one chunk of lines of a dot", ("smtp BDAT",), MB, _chunk, 32 * KB),
    Case("RCPT, 1,000 recipients that are not there", ("smtp RCPT",), 1000, _recipients, 50),
]
