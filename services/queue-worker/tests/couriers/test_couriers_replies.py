"""What a reply is and what it means: fuzzed bytes, bounds, and the table of results."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.ids import new_id
from queue_worker.couriers import trouble
from queue_worker.couriers.envelope import BadPath, Envelope, path
from queue_worker.couriers.models import RemoteMessage
from queue_worker.couriers.replies import (
    LONGEST_LINE,
    MOST_LINES,
    MOST_SKIPPED,
    BadReply,
    RemoteReply,
    ReplyReader,
)
from queue_worker.models import Claim, Outcome

_NOW = datetime.now(UTC)
B = Claim(new_id(), 0, 1, "b@far.test", "b@far.test", "a@here.test", new_id(), 1, _NOW, _NOW, 0)

texts = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=60)
replies = st.tuples(st.integers(200, 599), st.lists(texts, min_size=1, max_size=5))


def wire(code: int, lines: list[str]) -> bytes:
    return "".join(f"{code}{'-' if n < len(lines) - 1 else ' '}{line}\r\n" for n, line in enumerate(lines)).encode()


def feed(data: bytes, cuts: list[int]) -> list[RemoteReply]:
    reader, found, start = ReplyReader(), [], 0
    for end in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
        found += reader.feed(data[start:end])
        start = end
    if reader.error is not None:
        raise reader.error
    return found


@given(st.lists(replies, max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_fuzz_replies_come_whole_wherever_packets_are_cut(sent, cuts):
    found = feed(b"".join(wire(*reply) for reply in sent), cuts)
    assert [(r.code, [line[4:] for line in r.lines]) for r in found] == sent


@given(st.binary(max_size=4096), st.lists(st.integers(0, 5000), max_size=8))
def test_fuzz_any_bytes_are_replies_or_a_clear_error(data, cuts):
    try:
        found = feed(data, cuts)
    except BadReply:
        return
    assert all(200 <= r.code <= 599 and r.lines and "".join(r.lines).isprintable() for r in found)


@given(st.lists(st.sampled_from([b"250 ok\r\n", b"250-", b"\r\n", b"\n", b"4", b"421 x\n", b"\x00", b"250\r\n", b"-"])))
def test_fuzz_the_same_bytes_mean_the_same_in_one_piece_and_one_by_one(parts):
    data = b"".join(parts)

    def run(cuts: list[int]) -> object:
        try:
            return feed(data, cuts)
        except BadReply:
            return None

    assert run([]) == run(list(range(len(data))))


def test_a_line_and_a_reply_have_an_end():
    for data in (b"2" * (LONGEST_LINE + 1), b"250 " + b"x" * LONGEST_LINE + b"\r\n", b"250-x\r\n" * (MOST_LINES + 1)):
        with pytest.raises(BadReply):
            feed(data, [])


@pytest.mark.parametrize("line", [b"100 x\r\n", b"600 x\r\n", b"2500\r\n", b"250_x\r\n"])
def test_what_is_no_reply(line):
    with pytest.raises(BadReply):
        feed(line, [])


@pytest.mark.parametrize("line", [b"\r\n", b"hello\r\n", b"25 x\r\n", b"\n", b"\xff\r\n"])
def test_lines_without_a_code_are_skipped_a_bounded_number(line):
    for data in (line + b"250 ok\r\n", b"250 ok\r\n" + line, b"250-a\r\n" + line + b"250 ok\r\n"):
        (reply,) = feed(data, [])
        assert (reply.code, reply.lines[-1]) == (250, "250 ok")
    assert len(feed(line * MOST_SKIPPED + b"250 ok\r\n", [])) == 1
    with pytest.raises(BadReply):
        feed(line * (MOST_SKIPPED + 1), [])


@given(replies, st.binary(min_size=1, max_size=200))
def test_fuzz_a_complete_reply_counts_whatever_follows(sent, rest):
    reader = ReplyReader()
    assert reader.feed(wire(*sent) + rest)[0].code == sent[0]


@pytest.mark.parametrize(
    ("line", "enough"),
    [
        ("452 too many recipients", True),
        ("452 4.5.3 too many", True),
        ("552 too many recipients", True),
        ("552 5.5.3 too many", True),
        ("552 5.0.0 no", True),
        ("452 4.2.2 mailbox full", False),
        ("452 4.3.1 no space", False),
        ("452 4.7.1 slow down", False),
        ("552 5.2.2 mailbox full", False),
        ("552 5.3.4 too big", False),
        ("552 5.7.1 no", False),
        ("550 5.5.3 too many", False),
        ("450 4.5.3 x", False),
    ],
)
def test_what_says_that_a_transaction_has_enough_recipients(line, enough):
    assert trouble.too_many(RemoteReply(int(line[:3]), (line,))) is enough


@pytest.mark.parametrize(
    ("said", "lines", "outcome", "status", "last"),
    [
        (
            "RCPT To:<b@far.test>",
            ["550 MAILBOX NOT FOUND"],
            Outcome.failed,
            "5.1.1",
            "550 <b@far.test>... User unknown",
        ),
        ("RCPT To:<b@far.test>", ["550 5.7.1 blocked"], Outcome.failed, "5.7.1", "550 <b@far.test>... User unknown"),
        ("RCPT To:<b@far.test>", ["553 sorry"], Outcome.failed, "5.1.1", "553 <b@far.test>... User unknown"),
        ("RCPT To:<b@far.test>", ["554 no"], Outcome.failed, "5.0.0", "554 <b@far.test>... Service unavailable"),
        ("RCPT To:<b@far.test>", ["450 4.2.0 later"], Outcome.deferred, "4.2.0", "<<< 450 4.2.0 later"),
        ("RCPT To:<b@far.test>", ["450 5.2.0 odd"], Outcome.deferred, "4.0.0", "<<< 450 5.2.0 odd"),
        ("MAIL From:<a@here.test>", ["554-one", "554 two"], Outcome.failed, "5.0.0", "<<< 554 two"),
        (".", ["354 what"], Outcome.deferred, "4.5.0", "<<< 354 what"),
    ],
)
def test_refusals(said, lines, outcome, status, last):
    result = trouble.of_recipient(B, "mx.far.test", said, RemoteReply(int(lines[0][:3]), tuple(lines)), None)
    assert (result.claim, result.outcome, result.status, result.remote_host) == (B, outcome, status, "mx.far.test")
    assert result.text.split("\n")[:2] == ["while talking to mx.far.test.:", f">>> {said}"]
    assert [f"<<< {line}" for line in lines] == result.text.split("\n")[2 : 2 + len(lines)]
    assert result.text.split("\n")[-1] == last


def test_answers_to_the_dot():
    def dot(line: str) -> Outcome:
        return trouble.of_dot(B, "mx", RemoteReply(int(line[:3]), (line,)), None).outcome

    assert [dot(line) for line in ("250 ok", "251 ok", "354 go on", "451 no", "421 bye", "554 no")] == [
        Outcome.delivered,
        Outcome.delivered,
        Outcome.in_doubt,
        Outcome.deferred,
        Outcome.deferred,
        Outcome.failed,
    ]


def test_the_most_significant_trouble_is_kept():
    refused = trouble.refused_session("a", "", RemoteReply(554, ("554 5.3.2 no",)))
    tls, gone, lost = trouble.tls_failed("b", "x"), trouble.no_connection(), trouble.lost("c", "x")
    for weak, strong in ((gone, lost), (lost, refused), (refused, tls)):
        assert trouble.worse(weak, strong) is trouble.worse(strong, weak) is strong
    assert (refused.status, tls.status, lost.status) == ("4.3.2", "4.7.5", "4.4.2")


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("a.b+c@far.test", "a.b+c@far.test"),
        ("john doe@far.test", '"john doe"@far.test'),
        ('a"b\\c@far.test', '"a\\"b\\\\c"@far.test'),
        ("a..b@far.test", '"a..b"@far.test'),
        ("", ""),
        ("a@b@far.test", '"a@b"@far.test'),
        ("jörg@far.test", "jörg@far.test"),
        ('"x y"@far.test', '"x y"@far.test'),
        ("a>b@far.test", '"a>b"@far.test'),
        ("postmaster", "postmaster"),
    ],
)
def test_paths(address, written):
    assert path(address) == written


@given(st.text(max_size=40))
def test_fuzz_no_address_ends_a_command(text):
    try:
        written = path(text + "@far.test")
    except BadPath:
        return
    assert not set(written) & {"\r", "\n", "\x00"}


async def _never() -> bytes:
    raise AssertionError


async def _no() -> bool:
    raise AssertionError


@given(st.lists(st.sampled_from([b".", b"..", b"\r\n", b"x", b".x\r\n", b"\r\n.\r\n", b"\xff"])))
def test_fuzz_stuffing_is_undone_by_the_receiver_and_has_no_dot_of_its_own(parts):
    body = b"".join(parts)
    message = RemoteMessage(None, "", [B], len(body), True, False, _never, _no)  # type: ignore[arg-type]
    stuffed = Envelope(message, [B], body, {}).stuffed()
    lines = stuffed.split(b"\r\n")
    assert lines.pop() == b"" and b"." not in lines
    undone = b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines)
    assert undone == (body if body.endswith(b"\r\n") else body + b"\r\n")
