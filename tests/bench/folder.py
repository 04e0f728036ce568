"""A large folder by IMAP and POP3: what mail programs ask of it, each as one row."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import psutil

from tests.bench import mail
from tests.bench.lines import ImapLine, Pop3Line, Refused
from tests.bench.senders import SENDER, Session, body
from tests.bench.sides import Side
from tests.bench.table import Value

#: SINCE and BEFORE leave this share of the folder.
RECENT_SHARE = 20
#: EXPUNGE removes this share of the folder.
EXPUNGED_SHARE = 5
#: Sessions on one folder, and NOOPs beside a long answer.
SHARING = 50
#: Processes that serve IMAP, as `Side.processes` names them.
IMAP_SERVERS = ("pop-imap-frontend", "dovecot")
#: For changes to reach the other session before it is measured.
PAUSE = 0.1
LIMIT = 60.0
#: Methods of LargeFolder, in their order: the last one removes messages.
LARGE_STEPS = (
    "listing",
    "selecting",
    "changing",
    "flags",
    "sharing",
    "newest",
    "searching",
    "sorting",
    "idling",
    "popping",
    "expunging",
)


@dataclass(frozen=True)
class LargeFolder:
    """INBOX of an account with `count` messages of `mail`; each method returns its rows."""

    side: Side
    address: str
    login: str
    pop3_login: str
    password: str
    count: int
    opened: set[str] = field(default_factory=set)
    """What was done once: the folder selected, its texts searched."""

    def _session(self, *, select: bool = True) -> ImapLine:
        client = ImapLine(self.side.imap_port, self.login, self.password)
        if select:
            client.command("SELECT INBOX")
        return client

    def _repeated(self, what: str, times: int, once: Callable[[], float]) -> list[Value]:
        took = sorted(once() * 1000 for _ in range(times))
        return [Value(what, took[times // 2], "ms")]

    def listing(self) -> list[Value]:
        """LIST, and STATUS with RECENT, which a session that has nothing selected asks."""
        with self._session(select=False) as client:
            client.command('LIST "" "*"')
            return [
                *self._repeated('LIST "" "*"', 11, lambda: client.command('LIST "" "*"')[0]),
                *self._repeated("STATUS (RECENT)", 11, lambda: client.command("STATUS INBOX (RECENT UNSEEN)")[0]),
            ]

    def selecting(self) -> list[Value]:
        """The first SELECT of a new session: of a folder that has not changed, and with one message more."""

        def once() -> float:
            with self._session(select=False) as client:
                return client.command("SELECT INBOX")[0]

        first = [] if self.login in self.opened else self._repeated("the first SELECT of all", 1, once)
        self.opened.add(self.login)
        found = [*first, *self._repeated("SELECT in a new session", 5, once)]
        with self._session(select=False) as writer:

            def after_new_mail() -> float:
                writer.command("APPEND INBOX (\\Seen) {9+}\r\nA: b\r\n\r\nc")
                return once()

            return [*found, *self._repeated("SELECT in a new session, new mail", 5, after_new_mail)]

    def changing(self) -> list[Value]:
        """NOOP after one change by another session."""
        with self._session() as writer, self._session() as client:
            writer.command(f"STORE {self.count // 2} -FLAGS.SILENT (\\Flagged)")
            client.command("NOOP")
            sign = "+"

            def once() -> float:
                nonlocal sign
                writer.command(f"STORE {self.count // 2} {sign}FLAGS.SILENT (\\Flagged)")
                sign = "-" if sign == "+" else "+"
                return _noop(client, b" FETCH ")

            return self._repeated("NOOP, one change", 11, once)

    def flags(self) -> list[Value]:
        """What Thunderbird asks at each opening of a folder."""
        with self._session() as client:

            def once() -> float:
                seconds, octets, _ = client.command("FETCH 1:* (FLAGS)")
                _require(octets > 16 * self.count, f"FETCH FLAGS: only {octets} octets")
                return seconds

            return self._repeated("FETCH 1:* (FLAGS)", 5, once)

    def sharing(self) -> list[Value]:
        """Many sessions of the folder: memory of each, and what one that fetches all flags costs another one's NOOP."""
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(self._session())
            before = self._resident()
            for _ in range(SHARING):
                stack.enter_context(self._session())
            each = (self._resident() - before) / SHARING
            other = stack.enter_context(self._session())
            alone = sorted(other.command("NOOP")[0] for _ in range(SHARING))[SHARING // 2]
            over = threading.Event()

            def fetch() -> None:
                while not over.is_set():
                    client.command("FETCH 1:* (FLAGS)")

            fetching = threading.Thread(target=fetch)
            fetching.start()
            try:
                beside = sorted(other.command("NOOP")[0] for _ in range(SHARING))[SHARING // 2]
            finally:
                over.set()
                fetching.join()
        return [
            Value("memory of a session on the folder", each, "KB"),
            Value("NOOP while another session fetches all flags, more", max(0.0, beside - alone) * 1000, "ms"),
        ]

    def _resident(self) -> float:
        """Memory of the processes that serve IMAP, in KB."""
        total = 0.0
        for name, process in self.side.processes():
            if name in IMAP_SERVERS:
                with contextlib.suppress(psutil.Error):
                    total += process.memory_full_info().pss / 1024
        return total

    def newest(self) -> list[Value]:
        """A screen of the newest messages."""
        words = f"FETCH {max(1, self.count - 49)}:{self.count} FULL"
        with self._session() as client:
            return self._repeated("FETCH of the last 50, FULL", 11, lambda: client.command(words)[0])

    def searching(self) -> list[Value]:
        """SEARCH by flag, date and text; the number of messages found has to be right."""
        edge = mail.FIRST_DAY + timedelta(days=mail.DAYS - mail.DAYS // RECENT_SHARE)
        early = mail.FIRST_DAY + timedelta(days=mail.DAYS // RECENT_SHARE)
        share = self.count // RECENT_SHARE
        cases = {
            "UNSEEN": (self.count // mail.UNSEEN_EVERY, 11),
            f"SINCE {edge:%d-%b-%Y}": (share, 11),
            f"BEFORE {early:%d-%b-%Y}": (share, 11),
            f"FROM {mail.FROM_WORD}": (mail.matching(mail.FROM_EVERY, self.count), 5),
            f"SUBJECT {mail.SUBJECT_WORD}": (mail.matching(mail.SUBJECT_EVERY, self.count), 5),
            f"TEXT {mail.TEXT_WORD}": (mail.matching(mail.TEXT_EVERY, self.count), 3),
        }
        found: list[Value] = []
        with self._session() as client:
            client.command("UID SEARCH ALL")

            for words, (least, times) in cases.items():

                def once(words: str = words, least: int = least) -> float:
                    seconds, numbers = client.search(f"UID SEARCH {words}")
                    _require(
                        least <= numbers <= least + self.count // 50 + 100, f"SEARCH {words}: {numbers}, not {least}"
                    )
                    return seconds

                key = words.split()[0]
                rows = {f"UID SEARCH {key}": times}
                if key == "TEXT" and key not in self.opened:
                    self.opened.add(key)
                    rows = {"UID SEARCH TEXT, the first": 1, **rows}
                for what, number in rows.items():
                    try:
                        found += self._repeated(what, number, once)
                    except Refused as error:  # reading every text takes longer than a search may on a busy machine
                        print(f"  {self.side.name} {error}", flush=True)
                    if what.endswith("first"):
                        self.side.index_texts(self.count)
        return found

    def sorting(self) -> list[Value]:
        """SORT, THREAD, and a page of either (PARTIAL); a server without one of them has no row of it."""
        least = 2 * self.count
        cases = {
            "UID SORT (REVERSE ARRIVAL)": ("UID SORT (REVERSE ARRIVAL) UTF-8 ALL", 3, least),
            "UID SORT (FROM DATE)": ("UID SORT (FROM DATE) UTF-8 ALL", 3, least),
            "UID THREAD REFERENCES": ("UID THREAD REFERENCES UTF-8 ALL", 3, least),
            "UID SEARCH, a page": ("UID SEARCH RETURN (PARTIAL -1:-50) ALL", 11, 0),
            "UID SORT (DATE), a page": ("UID SORT RETURN (PARTIAL -1:-50) (DATE) UTF-8 ALL", 3, 0),
            "UID FETCH, a page": ("UID FETCH 1:* (FLAGS) (PARTIAL -1:-50)", 11, 0),
        }
        found = []
        with self._session() as client:
            for what, (words, times, octets) in cases.items():

                def once(words: str = words, octets: int = octets) -> float:
                    seconds, got, _ = client.command(words)
                    _require(got > octets, f"{words}: only {got} octets")
                    return seconds

                try:
                    found += self._repeated(what, times, once)
                except Refused as error:
                    print(f"  {self.side.name} {error}", flush=True)
        return found

    def idling(self) -> list[Value]:
        """From the 250 for a message to EXISTS in a session in IDLE."""
        text = body()
        sender = Session(self.side.smtp_port, SENDER)
        try:
            with self._session() as client, client.idle() as waiting:

                def once() -> float:
                    waiting.quiet(PAUSE)
                    sender.transact(self.address, text)
                    accepted = time.perf_counter()
                    waiting.until(b" EXISTS\r\n", LIMIT)
                    return time.perf_counter() - accepted

                return self._repeated("IDLE: 250 to EXISTS", 11, once)
        finally:
            sender.sock.close()

    def expunging(self) -> list[Value]:
        """EXPUNGE of a fifth of the folder; meanwhile another session of the mailbox asks STATUS again and again."""
        many = self.count // EXPUNGED_SHARE
        with self._session() as writer, self._session() as client, self._session(select=False) as other:
            writer.command(f"STORE 1:{many} +FLAGS.SILENT (\\Deleted)")
            _noop(client, b" FETCH ")
            over = threading.Event()
            worst = 0.0

            def ask() -> None:
                nonlocal worst
                while not over.is_set():
                    worst = max(worst, other.command("STATUS INBOX (MESSAGES)")[0])

            asking = threading.Thread(target=ask)
            asking.start()
            try:
                seconds, _, _ = writer.command("EXPUNGE")
            finally:
                over.set()
                asking.join()
            return [
                Value("EXPUNGE of a fifth", seconds * 1000, "ms"),
                Value("EXPUNGE of a fifth: STATUS meanwhile, worst", worst * 1000, "ms"),
                Value("EXPUNGE of a fifth: NOOP of another session", _noop(client, b" EXPUNGE\r\n") * 1000, "ms"),
            ]

    def popping(self) -> list[Value]:
        """POP3 from the password to the end of UIDL."""
        with Pop3Line(self.side.pop3_port) as client:
            client.begin(self.pop3_login)
            started = time.perf_counter()
            client.command(f"PASS {self.password}")
            client.command("UIDL", whole=True)
            seconds = time.perf_counter() - started
            client.command("QUIT")
        return [Value("POP3 PASS to UIDL", seconds * 1000, "ms")]


def large_folder(side: Side, count: int) -> LargeFolder:
    """Make and fill the account."""
    return LargeFolder(side, *side.filled("large", count), count)


def _noop(client: ImapLine, has: bytes) -> float:
    """Seconds of the first NOOP whose answer has `has`."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        time.sleep(PAUSE)
        seconds, _, tail = client.command("NOOP")
        if has in tail:
            return seconds
    raise TimeoutError(f"no NOOP answered{has.decode().rstrip()} within {LIMIT:g} s")


def _require(good: bool, why: str) -> None:
    if not good:
        raise RuntimeError(why)
