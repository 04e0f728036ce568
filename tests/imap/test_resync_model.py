"""Five clients, one with NOTIFY, change a folder at random and open it again by what they know: each then has what a fresh client gets (RFC 7162).

`make imap-model` walks 100,000 steps.
"""

import asyncio
import os
import random
import re
from collections.abc import Awaitable, Callable

from mailstore.upkeep.maintain import TOMBSTONES
from pop_imap_frontend.imap.responses import number_set

from .conftest import Client, Imap

STEPS = int(os.environ.get("POSTRIDER_TEST_IMAP_STEPS", "150"))
SEED = int(os.environ.get("POSTRIDER_TEST_IMAP_SEED", "1"))
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "work", "home")
#: Messages in the folder above which more are removed than added.
MANY = 25

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


class Model:
    """One client: what it knows of INBOX. `kind` is plain, condstore or qresync; `notifies`: it uses NOTIFY (RFC 5465)."""

    def __init__(self, imap: Imap, kind: str, *, notifies: bool = False) -> None:
        self.imap, self.kind, self.notifies = imap, kind, notifies
        self.client: Client | None = None
        self.known: Known = {}
        self.sequence: list[int] = []
        """UIDs by sequence number; 0 for one not known yet."""
        self.uidvalidity = self.highest = self.seen = 0
        """`highest` is the MODSEQ from which a resynchronisation is right, `seen` the greatest that was sent."""

    async def open(self, rng: random.Random) -> None:
        """Connect anew, with QRESYNC from what is known, else from nothing."""
        if self.client is not None:
            self.client.writer.close()
        self.client = await self.imap.log_in()
        known, parameters = self.known, ""
        if self.kind == "qresync":
            await self.client.ok("ENABLE QRESYNC")
            if self.uidvalidity:
                uids = number_set(sorted(known)).decode() if known and rng.random() < 0.5 else ""
                parameters = f" (QRESYNC ({self.uidvalidity} {self.highest}{' ' + uids if uids else ''}))"
        elif self.kind == "condstore":
            parameters = " (CONDSTORE)"
        if not parameters.startswith(" (Q"):
            self.known = known = {}
        self.sequence, self.seen = [], 0
        lines = await self.client.ok(f"SELECT INBOX{parameters}")
        count = max(int(line.split()[1]) for line in lines if line.endswith(b" EXISTS"))
        for line in lines:
            if match := _VANISHED.match(line):
                assert match[1], line
                for uid in numbers(match[2]):
                    known.pop(uid, None)
            elif (match := _FETCH.match(line)) and (uid := _UID.search(match[2])):
                known[int(uid[1])] = self._state(match[2], None)
            elif match := re.search(rb"\[UIDVALIDITY (\d+)\]", line):
                self.uidvalidity = int(match[1])
        self.sequence = [*sorted(known), *[0] * (count - len(known))]
        await self._fetch_new()
        self.highest = max(int(match[1]) for line in lines if (match := _HIGHEST.search(line)))
        if self.notifies:
            items = "MessageNew (UID FLAGS MODSEQ) MessageExpunge FlagChange"
            await self.run(f"NOTIFY SET (selected-delayed ({items})) (personal (MailboxName))")

    async def run(self, command: str | bytes) -> bytes:
        """Send a command and apply all responses; return the tagged one."""
        assert self.client is not None
        *untagged, last = await self.client.ask(command)
        for line in untagged:
            self._apply(line)
        assert not last.startswith(b"BAD"), (command, last)
        return last

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
            self.known[self.sequence[at]] = self._state(text, self.known.get(self.sequence[at]))

    def _state(self, text: bytes, before: tuple[frozenset[bytes], int] | None) -> tuple[frozenset[bytes], int]:
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

    async def step(self, rng: random.Random) -> None:
        """Do one thing at random."""
        by_uid = rng.random() < 0.5
        word = "UID " if by_uid else ""
        some = any(self.sequence)
        pick = rng.random() * (1.0 if some else 0.3)
        if pick < 0.15:
            await self.run("NOOP")
        elif pick < 0.3 and len(self.sequence) < MANY:
            await self.run(b"APPEND INBOX (%b) {7+}\r\na: b\r\n\r" % rng.choice(FLAGS).encode())
        elif pick < 0.3 or not some:
            await self.run("STORE 1:* +FLAGS (\\Deleted)" if self.sequence else "CHECK")
        elif pick < 0.6:
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


async def fresh(imap: Imap, observer: Client) -> Known:
    """What a client that knows nothing gets."""
    model = Model(imap, "condstore")
    empty = b"* 0 EXISTS" in await observer.ok("EXAMINE INBOX")
    found = [] if empty else await observer.ok("FETCH 1:* (UID FLAGS MODSEQ)")
    for line in found:
        if (match := _FETCH.match(line)) and (uid := _UID.search(match[2])):
            model.known[int(uid[1])] = model._state(match[2], None)
    return model.known


def assert_same(model: Model, truth: Known) -> None:
    assert model.sequence == sorted(truth) == sorted(model.known)
    for uid, (flags, modseq) in truth.items():
        assert model.known[uid][0] == flags, (uid, model.known[uid], flags)
        # a flag that was changed and changed back has a MODSEQ that no response was needed for
        assert model.kind == "plain" or model.known[uid][1] <= modseq, (uid, model.known[uid], modseq)


async def test_a_resynchronised_view_is_a_fresh_one(imap: Imap) -> None:
    rng = random.Random(SEED)
    observer = await imap.log_in()
    models = [Model(imap, kind) for kind in ("qresync", "qresync", "condstore", "plain")]
    models.append(Model(imap, "condstore", notifies=True))
    for model in models:
        await model.open(rng)
    for at in range(STEPS):
        chosen = rng.sample(models, 2 if rng.random() < 0.2 else 1)
        steps: list[Callable[[random.Random], Awaitable[None]]] = [
            model.open if rng.random() < 0.1 else model.step for model in chosen
        ]
        await asyncio.gather(*(step(random.Random(rng.random())) for step in steps))
        if rng.random() < 0.01:  # the expunges that some clients have not heard of are forgotten
            imap.store.pass_time(TOMBSTONES.total_seconds() + 1)
            await imap.store.parts.maintenance.round()
            for model in models:
                await model.open(rng)
        if rng.random() < 0.5:
            imap.watch._mark_all()  # as the feed does
        opened = len(chosen) == 1 and steps[0] == chosen[0].open
        for model in chosen:
            if not opened:  # then it has to be right without asking again
                await model.sync()
        truth = await fresh(imap, observer)
        for model in chosen:
            try:
                assert_same(model, truth)
            except AssertionError as error:
                raise AssertionError(f"step {at}, seed {SEED}, {model.kind}: {error}") from error
