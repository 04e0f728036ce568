"""Worst input for IMAP: every command as one long line, as many short ones, and what its arguments can be made of."""

from collections.abc import Callable

from tests.cost.bench import Bench
from tests.cost.case import KB, MB, Case, Play
from tests.cost.smtp import enclosed, nested, times
from tests.support.run import Account

Make = Callable[[int], bytes]

#: A well-formed argument of each command; those before login are said before login.
ARGUMENTS = {
    "CAPABILITY": b"",
    "NOOP": b"",
    "LOGOUT": b" x",
    "ID": b' ("name" "x")',
    "STARTTLS": b" x",
    "LOGIN": b" a",
    "AUTHENTICATE": b" NTLM",
    "UNAUTHENTICATE": b" x",
    "ENABLE": b" FROB",
    "NOTIFY": b" SET STATUS (personal (MessageNew MessageExpunge MailboxName))",
    "GETMETADATA": b" INBOX (/private/comment)",
    "SETMETADATA": b" INBOX (/private/comment NIL)",
    "GETQUOTA": b' ""',
    "GETQUOTAROOT": b" INBOX",
    "SETQUOTA": b' "" (STORAGE 1)',
    "COMPRESS": b" DEFLATE x",
    "NAMESPACE": b"",
    "SELECT": b" INBOX",
    "EXAMINE": b" INBOX",
    "UNSELECT": b"",
    "CLOSE": b"",
    "CHECK": b"",
    "LIST": b' "" "*"',
    "LSUB": b' "" "*"',
    "STATUS": b" INBOX (MESSAGES)",
    "CREATE": b" INBOX",
    "DELETE": b" INBOX",
    "RENAME": b" x y",
    "SUBSCRIBE": b" INBOX",
    "UNSUBSCRIBE": b" INBOX",
    "IDLE": b" x",
    "APPEND": b" INBOX {1+}\r\nx",
    "FETCH": b" 1 FLAGS",
    "UID FETCH": b" 1 FLAGS",
    "STORE": b" 1 FLAGS.SILENT ()",
    "UID STORE": b" 1 FLAGS.SILENT ()",
    "COPY": b" 1 x",
    "UID COPY": b" 1 x",
    "MOVE": b" 1 x",
    "UID MOVE": b" 1 x",
    "EXPUNGE": b"",
    "UID EXPUNGE": b" 1",
    "REPLACE": b" 1 x {1+}\r\nx",
    "UID REPLACE": b" 1 x {1+}\r\nx",
    "SEARCH": b" ALL",
    "UID SEARCH": b" ALL",
    "SORT": b" (DATE) UTF-8 ALL",
    "UID SORT": b" (DATE) UTF-8 ALL",
    "THREAD": b" REFERENCES UTF-8 ALL",
    "UID THREAD": b" REFERENCES UTF-8 ALL",
    "unknown": b"",
}
BEFORE_LOGIN = ("STARTTLS", "LOGIN", "AUTHENTICATE", "unknown")


def plain(bench: Bench) -> Account:
    return bench.plain


def taker(bench: Bench) -> Account:
    return bench.taker


def full(bench: Bench) -> Account:
    return bench.full


def many(bench: Bench) -> Account:
    return bench.many


def said(make: Make, account: Callable[[Bench], Account] | None = plain, *, select: bool = True) -> Play:
    """Log in, select INBOX, say what `make` returns for a size, log out; read until the connection ends."""

    def play(bench: Bench, n: int) -> bytes:
        with bench.imap(account(bench) if account else None) as talk:
            if account and select:
                talk.exchange(b"s SELECT INBOX\r\n", b"\r\ns ")
            return talk.exchange(make(n) + b"\r\nq LOGOUT\r\n", None)

    return play


def command(*pieces: bytes | Make) -> Make:
    """One command of constant and of sized pieces."""
    return lambda n: b"a " + b"".join(piece if isinstance(piece, bytes) else piece(n) for piece in pieces)


def to_size(unit: bytes) -> Make:
    return lambda n: times(unit, n)


def between(unit: bytes, comma: bytes) -> Make:
    """`unit` again and again to the size, with `comma` between."""
    return lambda n: times(unit + comma, n)[: -len(comma)]


def _command_cases() -> list[Case]:
    cases = []
    for name, argument in ARGUMENTS.items():
        account = None if name in BEFORE_LOGIN else taker if name == "APPEND" else plain
        word = b"XYZZY" if name == "unknown" else name.encode()
        line = b"a " + word + argument + b"\r\n"
        cases += [
            Case(
                f"IMAP {name}, a line of 60 KB",
                (f"imap {name}",),
                60 * KB,
                said(lambda n, word=word: b"a " + word + b" " + b"x" * n, account),
                8 * KB,
            ),
            Case(
                f"IMAP {name}, 8 KB of such lines",
                (f"imap {name}",),
                8 * KB,
                said(lambda n, line=line: times(line, n), account),
                KB // 4,
            ),
        ]
    return cases


#: Just under a line, so that the parser sees it whole.
SIZE = 60 * KB


def _every_second(n: int) -> bytes:
    return b",".join(b"%d" % at for at in range(1, n // 3, 2))[:n].rstrip(b",")


_RANGES: list[tuple[str, Make]] = [
    ("1:* again and again", between(b"1:*", b",")),
    ("*:1 and 1:* in turn", between(b"*:1,1:*", b",")),
    ("every second number", lambda n: _every_second(n)),
    ("numbers downwards", lambda n: b",".join(b"%d" % at for at in range(n // 6, 0, -1))),
    ("beyond the end", between(b"4294967295:4294967290", b",")),
]
_PARSED: list[tuple[str, str, Make]] = [
    ("LIST", "stars", command(b'LIST "" ', to_size(b"*"))),
    ("LIST", "e and stars", command(b'LIST "" ', to_size(b"*e"), b"*x")),
    ("LIST", "percents", command(b'LIST "" ', to_size(b"%e"), b"%x")),
    ("LIST", "levels", command(b'LIST "" ', to_size(b"%/"), b"*x")),
    ("LIST", "a long reference", command(b"LIST ", to_size(b"e"), b" *")),
    ("LIST", "patterns", command(b'LIST "" (', between(b"*e*", b" "), b")")),
    ("LSUB", "e and stars", command(b'LSUB "" ', to_size(b"*e"), b"*x")),
    ("LSUB", "percents", command(b'LSUB "" ', to_size(b"%e"), b"%")),
    ("STATUS", "items", command(b"STATUS INBOX (", between(b"MESSAGES", b" "), b")")),
    ("STATUS", "a name of 400 characters", lambda n: times(b"a STATUS " + b"e" * 400 + b" (MESSAGES)\r\n", n)),
    ("STATUS", "messages marked deleted", lambda n: times(b"a STATUS INBOX (DELETED DELETED-STORAGE)\r\n", n)),
    ("ENABLE", "names", command(b"ENABLE ", between(b"X", b" "))),
    ("NOTIFY", "groups", command(b"NOTIFY SET ", between(b"(personal (MailboxName))", b" "))),
    ("NOTIFY", "names", command(b"NOTIFY SET (subtree (", between(b"a", b" "), b") (MailboxName))")),
    ("NOTIFY", "events", command(b"NOTIFY SET (personal (", between(b"MailboxName", b" "), b"))")),
    ("NOTIFY", "items", command(b"NOTIFY SET (selected (MessageNew (", between(b"UID", b" "), b") MessageExpunge))")),
    ("GETMETADATA", "entries", command(b"GETMETADATA (DEPTH infinity) INBOX (", between(b"/private", b" "), b")")),
    ("SETMETADATA", "entries", command(b"SETMETADATA INBOX (", between(b"/private/a NIL", b" "), b")")),
    ("SETMETADATA", "components", command(b"SETMETADATA INBOX (/private", to_size(b"/a"), b' "x")')),
    ("SETQUOTA", "resources", command(b'SETQUOTA "" (', between(b"STORAGE 1", b" "), b")")),
    ("CREATE", "a name of levels", command(b"CREATE ", to_size(b"a/"))),
    ("CREATE", "a name of 400 characters", command(b"CREATE ", lambda n: b"e" * 400)),
    ("CREATE", "special uses", command(b"CREATE x (USE (", between(b"\\Archive", b" "), b"))")),
    ("CREATE", "parameters", command(b"CREATE x (", between(b"USE ()", b" "), b")")),
    ("CREATE", "modified UTF-7", command(b"CREATE ", to_size(b"&AOk-"))),
    ("RENAME", "long names", command(b"RENAME ", lambda n: b"e" * (n // 2), b" ", lambda n: b"f" * (n // 2))),
    ("DELETE", "a name of levels", command(b"DELETE ", to_size(b"a/"))),
    (
        "SUBSCRIBE",
        "names of 400 characters",
        lambda n: b"".join(b"a SUBSCRIBE " + b"%05d" % at + b"s" * 395 + b"\r\n" for at in range(n // 410)),
    ),
    (
        "UNSUBSCRIBE",
        "names of 400 characters",
        lambda n: b"".join(b"a UNSUBSCRIBE " + b"%05d" % at + b"s" * 395 + b"\r\n" for at in range(n // 410)),
    ),
    ("ID", "pairs", command(b"ID (", between(b'"a" "b"', b" "), b")")),
    ("ID", "escapes in quotes", command(b'ID ("', to_size(b"\\\\"), b'" NIL)')),
    ("FETCH", "previews", command(b"FETCH 1 (", between(b"PREVIEW (LAZY)", b" "), b")")),
    ("FETCH", "items", command(b"FETCH 1 (", between(b"FLAGS", b" "), b")")),
    ("FETCH", "bodies", command(b"FETCH 1 (", between(b"BODY.PEEK[]", b" "), b")")),
    ("FETCH", "parts of parts", command(b"FETCH 1 (BODY.PEEK[", to_size(b"1."), b"1])")),
    ("FETCH", "header names", command(b"FETCH 1 (BODY.PEEK[HEADER.FIELDS (", between(b"Received", b" "), b")])")),
    (
        "FETCH",
        "pieces of a body",
        lambda n: b"a FETCH 1 (" + b" ".join(b"BODY.PEEK[]<%d.9>" % at for at in range(n // 18)) + b")",
    ),
    ("SELECT", "known UIDs", command(b"SELECT INBOX (QRESYNC (1 1 ", between(b"1:9", b","), b"))")),
    ("SELECT", "parameters", command(b"SELECT INBOX (", between(b"CONDSTORE", b" "), b")")),
    ("FETCH", "modifiers", command(b"FETCH 1 (FLAGS) (", between(b"CHANGEDSINCE 1", b" "), b")")),
    ("STORE", "modifiers", command(b"STORE 1 (", between(b"UNCHANGEDSINCE 1", b" "), b") FLAGS ()")),
    ("SEARCH", "MODSEQ keys", command(b"SEARCH ", between(b"MODSEQ 1", b" "))),
    ("STORE", "flags", command(b"STORE 1 FLAGS (", between(b"\\Seen", b" "), b")")),
    ("STORE", "keywords", lambda n: b"a STORE 1 FLAGS (" + b" ".join(b"k%d" % at for at in range(n // 6)) + b")"),
    ("SEARCH", "NOT NOT NOT", command(b"SEARCH ", to_size(b"NOT "), b"ALL")),
    ("SEARCH", "OR to the right", command(b"SEARCH ", to_size(b"OR ALL "), b"ALL")),
    ("SEARCH", "OR to the left", command(b"SEARCH ", lambda n: b"OR " * (n // 7) + b"ALL" + b" ALL" * (n // 7))),
    ("SEARCH", "brackets", command(b"SEARCH ", lambda n: b"(" * (n // 2) + b"ALL" + b")" * (n // 2))),
    ("SEARCH", "TEXT keys", lambda n: b"a SEARCH " + b" ".join(b"TEXT x%d" % at for at in range(n // 10))),
    ("SEARCH", "HEADER keys", lambda n: b"a SEARCH " + b" ".join(b"HEADER a%d x" % at for at in range(n // 13))),
    ("SEARCH", "a long text", command(b"SEARCH TEXT ", to_size(b"he"))),
    ("SEARCH", "sets", command(b"SEARCH ", between(b"UID 1:*", b" "))),
    ("SEARCH", "numbers", command(b"SEARCH ", between(b"1:*", b" "))),
    ("FETCH", "BINARY", command(b"FETCH 1 (", between(b"BINARY.PEEK[1]<1.1>", b" "), b")")),
    ("APPEND", "messages", command(b"APPEND INBOX", to_size(b" {1+}\r\nx"))),
    ("APPEND", "flags", command(b"APPEND INBOX (", between(b"\\Seen", b" "), b") {1+}\r\nx")),
]

#: Sized by the literal.
_LITERALS: list[tuple[str, str, Make]] = [
    ("CREATE", "a literal of 64 KB", lambda n: b"a CREATE {%d+}\r\n" % n + b"x" * n),
    ("SEARCH", "result options", command(b"SEARCH RETURN (", between(b"ALL", b" "), b") ALL")),
    ("SORT", "criteria", command(b"SORT (", between(b"REVERSE SUBJECT", b" "), b") UTF-8 ALL")),
    ("THREAD", "keys", command(b"THREAD REFERENCES UTF-8 ", to_size(b"NOT "), b"ALL")),
    ("SEARCH", "a literal of 64 KB", lambda n: b"a SEARCH TEXT {%d+}\r\n" % n + b"x" * n),
    ("SEARCH", "many literals", lambda n: b"a SEARCH " + times(b"TEXT {1+}\r\nx ", n) + b"ALL"),
    (
        "ID",
        "literals that end like literals",
        lambda n: b"a ID (" + times(b"{4+}\r\n{12} {4+}\r\n{13} ", n)[:-1] + b")",
    ),
]
_APPENDED: list[tuple[str, Make]] = [
    ("one line", lambda n: b"x" * n),
    ("Delivered-To with spaces", lambda n: b"Delivered-To: a" + b" " * n + b"b\r\n\r\nx"),
    ("bare CR", lambda n: b"a: b\r\n\r\n" + b"\r" * n),
    ("multiparts in multiparts", nested),
    ("messages in messages", enclosed),
    ("From with comments in comments", lambda n: b"From: " + b"(" * n + b"\r\n\r\nx"),
]


def _appended(make: Make) -> Play:
    def appended(n: int) -> bytes:
        body = make(n)
        return b"a APPEND INBOX {%d+}\r\n" % len(body) + body

    return said(appended, taker, select=False)


def _login(make: Make) -> Play:
    return said(make, None)


def _idle(bench: Bench, n: int) -> bytes:
    with bench.imap(bench.plain) as talk:
        talk.exchange(b"a IDLE\r\n", b"+ ")
        return talk.exchange(b"x" * n + b"\r\nq LOGOUT\r\n", None)


def _handshake(bench: Bench, n: int) -> bytes:
    """Octets that are no TLS after STARTTLS."""
    with bench.imap() as talk:
        talk.exchange(b"a STARTTLS\r\n", b"a OK")
        return talk.exchange(b"x" * n, None)


def _all_copied(bench: Bench, n: int) -> bytes:
    """COPY of a folder of n into another, then that folder is deleted."""
    with bench.imap(bench.full) as talk:
        talk.exchange(b"s SELECT INBOX\r\nc CREATE copied\r\n", b"\r\nc ")
        answer = talk.exchange(b"a COPY 1:%d copied\r\n" % n, b"a ")
        talk.exchange(b"d DELETE copied\r\nq LOGOUT\r\n", None)
    return answer


def _moved_and_expunged(bench: Bench, n: int) -> bytes:
    """MOVE n copies, mark them, EXPUNGE them."""
    with bench.imap(bench.full) as talk:
        talk.exchange(b"s SELECT INBOX\r\nc CREATE from\r\nd CREATE to\r\n", b"\r\nd ")
        talk.exchange(b"a COPY 1:%d from\r\n" % n, b"a ")
        answer = talk.exchange(
            b"e SELECT from\r\nf MOVE 1:* to\r\ng SELECT to\r\nh STORE 1:* +FLAGS.SILENT (\\Deleted)\r\n", b"\r\nh "
        )
        answer += talk.exchange(b"i EXPUNGE\r\nj CLOSE\r\n", b"\r\nj ")
        talk.exchange(b"k DELETE from\r\nl DELETE to\r\nq LOGOUT\r\n", None)
    return answer


_FULL_FOLDER: list[tuple[str, str, Make]] = [
    ("SELECT", "again and again", lambda n: times(b"a SELECT INBOX\r\n", n // 100)),
    ("EXAMINE", "again and again", lambda n: times(b"a EXAMINE INBOX\r\n", n // 100)),
    ("STATUS", "again and again", lambda n: times(b"a STATUS INBOX (MESSAGES UNSEEN)\r\n", n // 30)),
    (
        "SELECT",
        "every second UID known",
        lambda n: b"a ENABLE QRESYNC\r\nb SELECT INBOX (QRESYNC (1 1 %b))" % _every_second(n),
    ),
    (
        "UID FETCH",
        "all changes and what vanished",
        lambda n: b"a ENABLE QRESYNC\r\nb UID FETCH %b (FLAGS) (CHANGEDSINCE 1 VANISHED)" % _every_second(n),
    ),
    ("SEARCH", "MODSEQ of all", lambda n: b"a SEARCH MODSEQ 1"),
    ("FETCH", "all flags", lambda n: b"a FETCH 1:* (FLAGS)"),
    ("FETCH", "all envelopes and structures", lambda n: b"a FETCH 1:* (ENVELOPE BODYSTRUCTURE)"),
    ("FETCH", "all previews", lambda n: b"a FETCH 1:* (PREVIEW)"),
    ("FETCH", "all bodies", lambda n: b"a FETCH 1:* (BODY.PEEK[])"),
    ("UID FETCH", "all flags", lambda n: b"a UID FETCH 1:* (FLAGS)"),
    ("STORE", "all flags", lambda n: b"a STORE 1:* +FLAGS (\\Flagged)\r\nb STORE 1:* -FLAGS (\\Flagged)"),
    ("SEARCH", "text in all", lambda n: b"a SEARCH TEXT nowhere"),
    ("SORT", "by subject", lambda n: b"a SORT (SUBJECT REVERSE DATE FROM) UTF-8 ALL"),
    ("UID SORT", "by a display name, of texts in all", lambda n: b"a UID SORT (DISPLAYFROM) UTF-8 TEXT e"),
    ("THREAD", "of all", lambda n: b"a THREAD REFERENCES UTF-8 ALL"),
    ("UID THREAD", "by subject", lambda n: b"a UID THREAD ORDEREDSUBJECT UTF-8 ALL"),
    ("SEARCH", "addresses in all", lambda n: b"a SEARCH OR FROM nowhere OR TO nowhere SUBJECT nowhere"),
    (
        "UID SEARCH",
        "text in all, ten times",
        lambda n: b"a UID SEARCH " + b" ".join(b"OR TEXT no%d" % at for at in range(10)) + b" ALL",
    ),
    ("UID EXPUNGE", "nothing of all", lambda n: b"a UID EXPUNGE " + times(b"1:*,", n)[:-1]),
]

CASES: list[Case] = [
    *_command_cases(),
    *(
        Case(
            f"IMAP {verb}, {what}",
            (f"imap {verb}",),
            SIZE,
            said(make, many if verb in ("LIST", "LSUB") else plain),
            4 * KB,
        )
        for verb, what, make in _PARSED
    ),
    *(Case(f"IMAP {verb}, {what}", (f"imap {verb}",), SIZE, said(make), 4 * KB) for verb, what, make in _LITERALS),
    *(
        Case(
            f"IMAP {verb}, {what}, of 20,000 messages",
            (f"imap {verb}",),
            SIZE,
            said(command(b"%b " % verb.encode(), make, rest), full),
            1 * KB,
        )
        for verb, rest in (
            ("FETCH", b" (FLAGS)"),
            ("UID FETCH", b" (FLAGS)"),
            ("STORE", b" +FLAGS.SILENT (\\Seen)"),
            ("UID STORE", b" +FLAGS.SILENT (\\Seen)"),
            ("SEARCH", b""),
            ("UID EXPUNGE", b""),
        )
        for what, make in _RANGES
    ),
    *(
        Case(
            f"IMAP {verb}, {what}, of 20,000 messages",
            (f"imap {verb}",),
            SIZE,
            said(make, full),
            why="the folder is what is large",
        )
        for verb, what, make in _FULL_FOLDER
    ),
    *(Case(f"IMAP APPEND, {what}", ("imap APPEND",), MB, _appended(make), 32 * KB) for what, make in _APPENDED),
    Case(
        "IMAP COPY, 20,000 messages",
        ("imap COPY", "imap UID COPY"),
        20_000,
        _all_copied,
        why="the folder is what is large",
    ),
    Case(
        "IMAP MOVE and EXPUNGE, 5,000 messages",
        ("imap MOVE", "imap UID MOVE", "imap EXPUNGE"),
        5_000,
        _moved_and_expunged,
        why="the folder is what is large",
    ),
    Case(
        "IMAP LOGIN, long literals",
        ("imap LOGIN",),
        64 * KB,
        _login(lambda n: b"a LOGIN {%d+}\r\n" % n + b"x" * n + b" {%d+}\r\n" % n + b"x" * n),
        8 * KB,
    ),
    Case(
        "IMAP LOGIN, escapes in quotes",
        ("imap LOGIN",),
        SIZE,
        _login(lambda n: b'a LOGIN "' + times(b"\\\\", n) + b'" x'),
        4 * KB,
    ),
    Case(
        "IMAP AUTHENTICATE, a long initial response",
        ("imap AUTHENTICATE",),
        SIZE,
        _login(lambda n: b"a AUTHENTICATE PLAIN " + times(b"AAAA", n)),
        4 * KB,
    ),
    Case("IMAP STARTTLS, 64 KB that are no handshake", ("imap STARTTLS",), 64 * KB, _handshake, 8 * KB),
    Case("IMAP, a line over the limit", ("imap unknown",), 70 * KB, _login(lambda n: b"x" * n), 16 * KB),
    Case("IMAP IDLE, 64 KB instead of DONE", ("imap IDLE",), 64 * KB, _idle, 8 * KB),
]
