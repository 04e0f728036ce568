"""A client of the model test: what it knows of INBOX, the commands it gives at random, and how it learns of changes (RFC 7162)."""

import random
import re

from pop_imap_frontend.imap.responses import number_set

from .conftest import Client, Imap

FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "work", "home")
#: Messages in the folder above which more are removed than added.
MANY = 40


def literal(rng: random.Random) -> bytes:
    """A message, one of a few sizes and days, with the space before its literal."""
    text = b"Date: %d Mar 2026 10:00:00 +0000\r\n\r\n%b" % (rng.randint(1, 9), b"x" * rng.randrange(4))
    return b" {%d+}\r\n%b" % (len(text), text)


_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)\Z", re.S)
_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
_HIGHEST = re.compile(rb"OK \[HIGHESTMODSEQ (\d+)\]")
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?(\S+)\Z")

#: UID, and flags without \Recent with, for clients that use it, the MODSEQ.
Known = dict[int, tuple[frozenset[bytes], int]]


def numbers(text: bytes) -> list[int]:
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


class ModelClient:
    """One client: what it knows of INBOX. `kind` is plain, condstore or qresync.

    `notifies`: it uses NOTIFY (RFC 5465); `rev2`: it speaks IMAP4rev2.
    """

    def __init__(self, imap: Imap, kind: str, *, notifies: bool = False, rev2: bool = False) -> None:
        self.imap, self.kind, self.notifies, self.rev2 = imap, kind, notifies, rev2
        self.client: Client | None = None
        self.known: Known = {}
        self.sequence: list[int] = []
        """UIDs by sequence number; 0 for one not known yet."""
        self.uidvalidity = self.highest = self.seen = 0
        """`highest` is the MODSEQ from which a resynchronisation is right, `seen` the greatest that was sent."""

    async def open(self, rng: random.Random) -> None:
        """Open the folder, in a new session or again in this one: with QRESYNC from what is known, else from nothing."""
        known, parameters = self.known, ""
        if self.client is not None and rng.random() < 0.5:
            if closing := rng.choice(("", "CLOSE", "UNSELECT")):
                await self.client.ok(closing)
        else:
            await self._connect()
        assert self.client is not None
        if self.kind == "qresync":
            if self.uidvalidity:
                uids = number_set(sorted(known)).decode() if known and rng.random() < 0.5 else ""
                parameters = f" (QRESYNC ({self.uidvalidity} {self.highest}{' ' + uids if uids else ''}))"
        elif self.kind == "condstore":
            parameters = " (CONDSTORE)"
        lines = await self.client.ok(f"SELECT INBOX{parameters}")
        if b"* OK [CLOSED]" in (
            starts := [line[:13] for line in lines]
        ):  # what comes before is of the folder as it was open
            for line in lines[: (closed := starts.index(b"* OK [CLOSED]"))]:
                self._apply(line)
            lines = lines[closed:]
        if not parameters.startswith(" (Q"):
            self.known = known = {}
        self.sequence, self.seen = [], 0
        count = max(int(line.split()[1]) for line in lines if line.endswith(b" EXISTS"))
        for line in lines:
            if match := _VANISHED.match(line):
                assert match[1], line
                for uid in numbers(match[2]):
                    known.pop(uid, None)
            elif (match := _FETCH.match(line)) and (uid := _UID.search(match[2])):
                known[int(uid[1])] = self.state_in(match[2], None)
            elif match := re.search(rb"\[UIDVALIDITY (\d+)\]", line):
                self.uidvalidity = int(match[1])
        self.sequence = [*sorted(known), *[0] * (count - len(known))]
        await self._fetch_new()
        self.highest = max(int(match[1]) for line in lines if (match := _HIGHEST.search(line)))
        if self.notifies:
            items = "MessageNew (UID FLAGS MODSEQ) MessageExpunge FlagChange"
            await self.run(f"NOTIFY SET (selected-delayed ({items})) (personal (MailboxName))")

    async def _connect(self) -> None:
        if self.client is not None:
            self.client.writer.close()
        self.client = await self.imap.log_in()
        extensions = [*(["IMAP4rev2"] if self.rev2 else []), *(["QRESYNC"] if self.kind == "qresync" else [])]
        if extensions:
            await self.client.ok(f"ENABLE {' '.join(extensions)}")

    async def run(self, command: str | bytes) -> bytes:
        """Send a command and apply all responses; return the tagged one."""
        assert self.client is not None
        *untagged, last = await self.client.ask(command)
        for line in untagged:
            self._apply(line)
        assert not last.startswith(b"BAD"), (command, last)
        return last

    async def idle(self) -> None:
        """Start and end IDLE, and apply what is sent meanwhile (RFC 2177)."""
        assert self.client is not None
        self.client.send(b"i IDLE\r\n")
        while not (line := await self.client.response()).startswith(b"+ "):
            self._apply(line.removesuffix(b"\r\n"))
        self.client.send(b"DONE\r\n")
        *untagged, last = await self.client.until("i")
        for line in untagged:
            self._apply(line)
        assert last.startswith(b"i OK"), last

    async def sync(self) -> None:
        """Learn of all changes; from here on a resynchronisation may begin at what was sent until now."""
        await self.run("NOOP")
        await self._fetch_new()
        self.highest = max(self.highest, self.seen)

    async def _fetch_new(self) -> None:
        if 0 in self.sequence:
            last = max(self.sequence[: self.sequence.index(0)], default=0)
            await self.run(f"UID FETCH {last + 1}:* (FLAGS{'' if self.kind == 'plain' else ' MODSEQ'})")
        assert 0 not in self.sequence, self.sequence

    def _apply(self, line: bytes) -> None:
        if match := _FETCH.match(line):
            self._fetched(int(match[1]) - 1, match[2])
        elif line.endswith(b" EXISTS"):
            count = int(line.split()[1])
            assert count >= len(self.sequence), line
            self.sequence += [0] * (count - len(self.sequence))
        elif line.endswith(b" EXPUNGE"):
            assert self.kind != "qresync", line
            self.known.pop(self.sequence.pop(int(line.split()[1]) - 1), None)
        elif match := _VANISHED.match(line):
            for uid in numbers(match[2]):
                self.known.pop(uid, None)
                if match[1]:
                    assert uid not in self.sequence, line
                else:  # one that the client has not asked for yet is among the last
                    self.sequence.remove(uid if uid in self.sequence else 0)

    def _fetched(self, at: int, text: bytes) -> None:
        uid = _UID.search(text)
        if uid is not None:
            assert self.sequence[at] in (0, int(uid[1])), (self.sequence, at, text)
            self.sequence[at] = int(uid[1])
        if self.sequence[at]:
            self.known[self.sequence[at]] = self.state_in(text, self.known.get(self.sequence[at]))

    def state_in(self, text: bytes, before: tuple[frozenset[bytes], int] | None) -> tuple[frozenset[bytes], int]:
        flags, modseq = _FLAGS.search(text), _MODSEQ.search(text)
        assert self.kind == "plain" or modseq or not flags, text
        if modseq:
            self.seen = max(self.seen, int(modseq[1]))
        return (
            frozenset(flags[1].split()) - {b"\\Recent"} if flags else before[0] if before else frozenset(),
            int(modseq[1]) if modseq else 0,
        )

    # -- steps

    def _set(self, rng: random.Random, *, by_uid: bool) -> str:
        uids = [uid for uid in self.sequence if uid]
        chosen = rng.sample(uids, rng.randint(1, min(4, len(uids))))
        return number_set(sorted(chosen if by_uid else [self.sequence.index(uid) + 1 for uid in chosen])).decode()

    def _one(self, rng: random.Random, *, by_uid: bool) -> int:
        uid = rng.choice([uid for uid in self.sequence if uid])
        return uid if by_uid else self.sequence.index(uid) + 1

    async def _add(self, rng: random.Random) -> None:
        """Bring new messages into the folder, by APPEND or as they are delivered."""
        count = rng.choice((1, 1, 1, 2, 9))
        if rng.random() < 0.3:
            return await self.imap.store.deliver(self.imap.mailbox_id, *[b"a: b\r\n\r\n"] * count)
        each = (b" (%b)%b" % (rng.choice(FLAGS).encode(), literal(rng)) for _ in range(count))
        await self.run(b"APPEND INBOX%b" % b"".join(each))

    async def step(self, rng: random.Random) -> None:
        """Do one thing at random."""
        by_uid = rng.random() < 0.5
        word = "UID " if by_uid else ""
        some = any(self.sequence)
        pick = rng.random() * (1.0 if some else 0.3)
        if pick < 0.15:
            await (self.run("NOOP") if by_uid else self.idle())
        elif pick < 0.3 and len(self.sequence) < MANY:
            await self._add(rng)
        elif pick < 0.3 or not some:
            await self.run("STORE 1:* +FLAGS (\\Deleted)" if self.sequence else "CHECK")
        elif pick < 0.31:  # its messages leave at once (RFC 3501 6.3.5)
            name = f"r{rng.getrandbits(40)}"
            await self.run(f"RENAME INBOX {name}")
            await self.run(f"DELETE {name}")
        elif pick < 0.35:
            await self.run(f"{word}REPLACE {self._one(rng, by_uid=by_uid)} INBOX".encode() + literal(rng))
        elif pick < 0.62:
            condition = f"(UNCHANGEDSINCE {rng.choice((self.highest, self.seen))}) "
            condition = condition if self.kind != "plain" and rng.random() < 0.5 else ""
            verb = rng.choice(("", "+", "-")) + "FLAGS" + rng.choice(("", ".SILENT"))
            flags = " ".join(rng.sample(FLAGS, rng.randint(0, 2)))
            numbered = self._set(rng, by_uid=by_uid)
            silent = verb.endswith(".SILENT")
            await self.run(f"{word}STORE {numbered} {condition}{verb} ({flags})")
            if silent:  # what such a client believes is of no interest here
                await self.run(f"{word}FETCH {numbered} (FLAGS{'' if self.kind == 'plain' else ' MODSEQ'})")
        elif pick < 0.7:
            await self.run(f"UID EXPUNGE {self._set(rng, by_uid=True)}" if by_uid else "EXPUNGE")
        elif pick < 0.8:
            await self.run(f"{word}MOVE {self._set(rng, by_uid=by_uid)} Trash")
        elif pick < 0.85:
            await self.run(f"{word}COPY {self._set(rng, by_uid=by_uid)} INBOX")
        elif self.kind == "plain":
            await self.run(f"{word}FETCH {self._set(rng, by_uid=by_uid)} (FLAGS)")
        elif pick < 0.92:
            await self.run(f"{word}FETCH {self._set(rng, by_uid=by_uid)} (FLAGS MODSEQ)")
        else:
            since = rng.randint(0, self.highest)
            more = " VANISHED" if by_uid and self.kind == "qresync" else ""
            await self.run(f"{word}FETCH 1:* (FLAGS) (CHANGEDSINCE {since}{more})")
