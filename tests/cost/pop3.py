"""Worst input for POP3: every command as one long line, as many short ones, and on a maildrop of 20,000 messages."""

from collections.abc import Callable

from tests.cost.bench import Bench
from tests.cost.case import KB, Case, Play
from tests.cost.smtp import times
from tests.support.run import Account

#: A well-formed line of each command.
LINES = {
    "CAPA": b"CAPA",
    "STLS": b"STLS",
    "UTF8": b"UTF8",
    "LANG": b"LANG",
    "USER": b"USER a",
    "PASS": b"PASS a",
    "AUTH": b"AUTH NTLM",
    "STAT": b"STAT",
    "LIST": b"LIST",
    "UIDL": b"UIDL",
    "RETR": b"RETR 1",
    "TOP": b"TOP 1 0",
    "DELE": b"DELE 1",
    "RSET": b"RSET",
    "NOOP": b"NOOP",
    "QUIT": b"QUIT",
    "unknown": b"XYZZY",
}
BEFORE_LOGIN = ("STLS", "UTF8", "USER", "PASS", "AUTH", "unknown")


def said(make: Callable[[int], bytes], account: Callable[[Bench], Account] | None) -> Play:
    """Log in, say what `make` returns for a size; read until the connection ends. Nothing is removed (RSET)."""

    def play(bench: Bench, n: int) -> bytes:
        with bench.pop3(account(bench) if account else None) as talk:
            return talk.exchange(make(n) + (b"RSET\r\n" if account else b"") + b"QUIT\r\n", None)

    return play


def full(bench: Bench) -> Account:
    return bench.full


def plain(bench: Bench) -> Account:
    return bench.plain


def _command_cases() -> list[Case]:
    cases = []
    for name, line in LINES.items():
        account = None if name in BEFORE_LOGIN else plain
        word = line.split()[0]
        cases += [
            Case(
                f"POP3 {name}, a line of 64 KB",
                (f"pop3 {name}",),
                64 * KB,
                said(lambda n, word=word: word + b" " + b"x" * n + b"\r\n", account),
                8 * KB,
            ),
            Case(
                f"POP3 {name}, 8 KB of such lines",
                (f"pop3 {name}",),
                8 * KB,
                said(lambda n, line=line: times(line + b"\r\n", n), account),
                KB // 4,
            ),
        ]
    return [case for case in cases if case.name != "POP3 STLS, 8 KB of such lines"]  # the first begins TLS: _handshake


def _handshake(bench: Bench, n: int) -> bytes:
    """Octets that are no TLS after STLS."""
    with bench.pop3() as talk:
        talk.exchange(b"STLS\r\n", b"\r\n")
        return talk.exchange(b"x" * n, None)


def _removed(bench: Bench, n: int) -> bytes:
    """DELE and QUIT on a maildrop that is filled for it."""
    account = bench.run.mailbox(bench.domain, f"drop{bench.source().replace('.', '-')}")
    bench.fill(account, n)
    with bench.pop3(account) as talk:
        return talk.exchange(b"".join(b"DELE %d\r\n" % at for at in range(1, n + 1)) + b"QUIT\r\n", None)


_FULL: list[tuple[str, Callable[[int], bytes]]] = [
    ("STAT", lambda n: times(b"STAT\r\n", n // 50)),
    ("LIST", lambda n: times(b"LIST\r\n", n // 500)),
    ("UIDL", lambda n: times(b"UIDL\r\n", n // 500)),
    ("RETR", lambda n: b"".join(b"RETR %d\r\n" % at for at in range(1, n // 30))),
    ("TOP", lambda n: b"".join(b"TOP %d 9999999999\r\n" % at for at in range(1, n // 100))),
    ("DELE", lambda n: b"".join(b"DELE %d\r\n" % at for at in range(1, n // 10))),
    ("RSET", lambda n: b"".join(b"DELE %d\r\nRSET\r\n" % at for at in range(1, n // 20))),
]

CASES: list[Case] = [
    *_command_cases(),
    *(
        Case(
            f"POP3 {name} in a maildrop of 20,000",
            (f"pop3 {name}",),
            64 * KB,
            said(make, full),
            why="the maildrop is what is large",
        )
        for name, make in _FULL
    ),
    Case("POP3 QUIT that removes 5,000", ("pop3 QUIT",), 5_000, _removed, why="the maildrop is what is large"),
    Case(
        "POP3 PASS, a verbatim argument of spaces",
        ("pop3 PASS",),
        250,
        said(lambda n: b"USER a\r\nPASS " + b" " * n + b"\r\n", None),
        60,
    ),
    Case("POP3 STLS, 64 KB that are no handshake", ("pop3 STLS",), 64 * KB, _handshake, 8 * KB),
    Case(
        "POP3 AUTH, a response of 64 KB",
        ("pop3 AUTH",),
        64 * KB,
        said(lambda n: b"AUTH PLAIN\r\n" + times(b"AAAA", n) + b"\r\n", None),
        8 * KB,
    ),
]
