"""SORT, THREAD and ESEARCH answer as Dovecot does, but for the differences that docs/dovecot.md lists."""

import random
import re
from collections.abc import Iterator

import pytest

from tests.support.mime_samples import corpus, stored
from tests.support.run import Run

from .conftest import Pair
from .sessions import Dovecot, Postrider, Session

pytestmark = [pytest.mark.interop]

_SUBJECTS = [
    "Budget",
    "budget ",
    "Bücher",
    "BÜCHER",
    "=?utf-8?q?b=C3=BCcher?=",
    "[list] Budget",
    "Zürich [1] (fwd)",
    "",
    "Éclair",
    "eclair",
    "_x",
    "a  b\tc",
    "[a] [b]",
    "\u00a0Budget",
]
_LEADERS = ["", "Re: ", "RE:  Fwd: ", "[list] Re: ", "Fw: [x] ", "Re[2]: ", "Aw: "]
_NAMES = ["Anna <zoe@x.test>", "zoe@x.test", '"" <b@x.test>', "=?utf-8?q?=C3=84nne?= <c@x.test>", "Bob <anna@y.test>"]
_NAMES += ["", "team: a@b.test, c@d.test;", "bob <ANNA@z.test>", '"Bob, Jr." <d@x.test>']


def made(seed: int, count: int) -> Iterator[bytes]:
    """Conversations: replies with whole, cut and absent references, out of order, twice the same id, on few subjects."""
    chance = random.Random(seed)
    known: list[tuple[str, list[str]]] = []
    for number in range(count):
        own, refers = f"<{number}.{seed}@mail.test>", list[str]()
        if known and chance.random() < 0.7:
            parent, before = chance.choice(known)
            refers = [*before, parent]
            if chance.random() < 0.2:
                refers = refers[-2:]
        lines = [f"From: {chance.choice(_NAMES)}", f"To: {chance.choice(_NAMES)}", f"Cc: {chance.choice(_NAMES)}"]
        lines.append(f"Subject: {chance.choice(_LEADERS)}{chance.choice(_SUBJECTS)}")
        if chance.random() < 0.95:
            lines.append(f"Message-ID: {own if chance.random() < 0.95 or not known else known[-1][0]}")
        if refers and chance.random() < 0.8:
            lines.append("References: " + "\r\n ".join(refers))
        elif refers:
            lines.append(f"In-Reply-To: {refers[-1]} (of Monday)")
        if chance.random() < 0.9:
            day, hour, zone = chance.randint(1, 28), chance.randint(0, 23), chance.choice(["+0000", "-0800", "+0530"])
            lines.append(f"Date: {day} Jan 2026 {hour:02}:00:00 {zone}")
        known.append((own, refers))
        if chance.random() < 0.9:  # others are not in the folder
            yield ("\r\n".join(lines) + "\r\n\r\n" + "x" * chance.randint(0, 30) + "\r\n").encode()


def _append(session: Session, messages: list[bytes]) -> None:
    for number, message in enumerate(messages):
        minute, second = divmod(number, 60)
        date = b'"01-Feb-2026 %02d:%02d:%02d +0000"' % (minute // 60, minute % 60, second)
        session.command(b"APPEND INBOX %b {%d+}\r\n%b" % (date, len(message), message))
    session.command(b"SELECT INBOX")


@pytest.fixture(scope="module")
def conversations(run: Run) -> Iterator[Pair]:
    messages = [*made(1, 300), *made(2, 100), *(stored(message) for message in corpus()[::3] if message)]
    theirs, ours = Dovecot([]), Postrider(run, run.mailbox(run.domain()), [])
    for session in (theirs, ours):
        _append(session, messages)
    yield Pair(messages, ours, theirs)
    ours.close()
    theirs.close()


def _is_8bit(message: bytes) -> bool:
    """Whether the header has octets that are no UTF-8: docs/dovecot.md lists the difference."""
    try:
        message.partition(b"\r\n\r\n")[0].decode()
    except UnicodeDecodeError:
        return True
    return False


def _both(pair: Pair, command: bytes) -> tuple[list[bytes], list[bytes]]:
    """The untagged answers of both, without their changes of flags."""
    ours, theirs = (
        [line for line in each.command(command).splitlines() if re.match(rb"\* [ES]?(SEARCH|SORT|THREAD)", line)]
        for each in (pair.ours, pair.theirs)
    )
    assert len(ours) == len(theirs) == 1, (ours, theirs)
    return ours[0].split(), theirs[0].split()


SORT_KEYS = (b"ARRIVAL", b"DATE", b"SIZE", b"SUBJECT", b"FROM", b"TO", b"CC", b"DISPLAYFROM", b"DISPLAYTO")


@pytest.mark.parametrize(
    "keys",
    [
        *SORT_KEYS,
        *(b"REVERSE " + key for key in SORT_KEYS),
        b"SUBJECT DATE",
        b"FROM REVERSE DATE",
        b"DISPLAYTO REVERSE SUBJECT SIZE",
        b"REVERSE CC TO REVERSE ARRIVAL",
    ],
)
def test_sort_is_equal(conversations: Pair, keys: bytes) -> None:
    odd = {b"%d" % at for at, message in enumerate(conversations.messages, 1) if _is_8bit(message)}
    assert 0 < len(odd) < 20
    for program in (b"ALL", b"100:500 SUBJECT e"):
        ours, theirs = _both(conversations, b"SORT (%b) UTF-8 %b" % (keys, program))
        assert [each for each in ours if each not in odd] == [each for each in theirs if each not in odd]
        assert len(ours) > 50 and sorted(ours) == sorted(theirs)


@pytest.mark.parametrize("algorithm", [b"REFERENCES", b"ORDEREDSUBJECT"])
def test_thread_is_equal(conversations: Pair, algorithm: bytes) -> None:
    for program in (b"ALL", b"1:250", b"100:300 SUBJECT e", b"NOT SUBJECT e", b"SUBJECT nowhere"):
        for command in (b"THREAD", b"UID THREAD"):
            ours, theirs = _both(conversations, b"%b %b UTF-8 %b" % (command, algorithm, program))
            assert ours == theirs, program


@pytest.mark.parametrize(
    "key",
    [
        b"ALL",
        b"SUBJECT budget",
        b"SUBJECT b",
        "SUBJECT {7+}\r\nbücher".encode(),
        b"SUBJECT eclair",
        b'SUBJECT "a b"',
        b"FROM zoe",
        b"FROM anna@Y.test",
        b"TO bob",
        b"CC team",
        b'HEADER Cc ""',
        b'HEADER X-None ""',
        b"HEADER Message-ID 7.1@",
        b'HEADER References "0.1@mail.test"',
        b"BODY xxxxxx",
        b"TEXT mail.test",
        b"OR SMALLER 200 SENTSINCE 15-Jan-2026",
        b"YOUNGER 4000000000",
        b"NOT OLDER 1",
        b"NOT KEYWORD none 5:*",
    ],
)
def test_esearch_is_equal(conversations: Pair, key: bytes) -> None:
    for options in (b"", b"MIN", b"MAX", b"COUNT", b"ALL", b"MIN MAX COUNT ALL", b"COUNT PARTIAL 3:9"):
        for command in (b"SEARCH", b"UID SEARCH"):
            ours, theirs = _both(conversations, b"%b RETURN (%b) %b" % (command, options, key))
            # Dovecot has the items in another order
            assert sorted(ours) == sorted(theirs), (options, ours[:20], theirs[:20])
    for session in (conversations.ours, conversations.theirs):
        session.command(b"SEARCH RETURN (SAVE) " + key)
    assert _both(conversations, b"UID SEARCH $") == _both(conversations, b"UID SEARCH UID $")
    ours, theirs = _both(conversations, b"SORT RETURN (COUNT ALL) (REVERSE DATE) UTF-8 $")
    assert sorted(ours) == sorted(theirs)
