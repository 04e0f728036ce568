"""The selected folder against a plain model: a client that follows the untagged responses knows the same as we do."""

import re
from array import array

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mailstore_api.wire import Changes
from pop_imap_frontend.imap.refusals import BadCommand

from .views import view_of

FLAGS = (b"\\Answered", b"\\Deleted", b"\\Draft", b"\\Flagged", b"\\Seen")


class Client(RuleBasedStateMachine):
    """`here`: the server's view. `there`: UIDs by sequence number as a client has them from EXPUNGE and EXISTS.

    `mailbox`: the truth in mailstore, ahead of both until `tell`.
    """

    @initialize(count=st.integers(0, 12))
    def open(self, count: int) -> None:
        self.modseq = 1
        self.uidnext = count + 1
        self.mailbox = dict.fromkeys(range(1, self.uidnext), 0)
        self.vanished: list[int] = []
        self.changed: set[int] = set()
        self.there = sorted(self.mailbox)
        self.here = view_of(self.mailbox, uidnext=self.uidnext)

    @rule(count=st.integers(1, 4))
    def arrive(self, count: int) -> None:
        for _ in range(count):
            self.mailbox[self.uidnext] = 0
            self.changed.add(self.uidnext)
            self.uidnext += 1

    @rule(data=st.data())
    def expunge(self, data: st.DataObject) -> None:
        if self.mailbox:
            for uid in data.draw(st.lists(st.sampled_from(sorted(self.mailbox)), unique=True, max_size=4)):
                del self.mailbox[uid]
                self.changed.discard(uid)
                self.vanished.append(uid)

    @rule(data=st.data(), mask=st.integers(0, 31))
    def flag(self, data: st.DataObject, mask: int) -> None:
        if self.mailbox:
            uid = data.draw(st.sampled_from(sorted(self.mailbox)))
            self.mailbox[uid] = mask
            self.changed.add(uid)

    @rule(twice=st.booleans())
    def tell(self, twice: bool) -> None:
        """The changes so far, and perhaps the same once more: a repeated answer changes nothing."""
        self.modseq += 1
        uids = sorted(self.changed)
        changes = Changes(
            status="ok",
            highest_modseq=self.modseq,
            uidnext=self.uidnext,
            uids=array("I", uids).tobytes(),
            flags=array("Q", [self.mailbox[uid] for uid in uids]).tobytes(),
            vanished=array("I", sorted(self.vanished)).tobytes(),
            keywords=[],
            recent_from=0,
        )
        arrived = [uid for uid in uids if uid not in self.there]
        for line in b"".join(self.here.apply(changes)).splitlines():
            if match := re.match(rb"\* (\d+) EXPUNGE", line):
                del self.there[int(match[1]) - 1]
            elif match := re.match(rb"\* (\d+) EXISTS", line):
                self.there += arrived
                assert int(match[1]) == len(self.there)
            elif match := re.match(rb"\* (\d+) FETCH \(UID (\d+) FLAGS", line):
                assert self.there[int(match[1]) - 1] == int(match[2])
        if twice:
            assert b"".join(self.here.apply(changes)) == b""
        self.changed.clear()
        self.vanished.clear()
        assert self.there == sorted(self.mailbox)
        assert [self.here.messages.mask(at) for at in range(len(self.there))] == [
            self.mailbox[uid] for uid in self.there
        ]

    @rule(low=st.integers(1, 20), high=st.none() | st.integers(1, 20), by_uid=st.booleans())
    def ask(self, low: int, high: int | None, by_uid: bool) -> None:
        """A set names what a reader of RFC 3501 9 (seq-range) thinks it names."""
        known = self.there
        if by_uid:
            top = known[-1] if known else 0
            ends = sorted((low, top if high is None else high))
            wanted = [at for at, uid in enumerate(known) if ends[0] <= uid <= ends[1]]
        else:
            if high is not None and max(low, high) > len(known):
                try:
                    self.here.spans([(low, high)], by_uid=False)
                except BadCommand:
                    return
                raise AssertionError("a number beyond the last message was taken")
            ends = sorted((low, len(known) if high is None else high))
            wanted = [at for at in range(len(known)) if ends[0] <= at + 1 <= ends[1]]
            if low > len(known):
                wanted = wanted or list(range(len(known)))[-1:]  # `9:*` of three is the third
        spans = self.here.spans([(low, high)], by_uid)
        assert [at for span in spans for at in range(*span)] == wanted

    @invariant()
    def both_know_the_same(self) -> None:
        if hasattr(self, "here"):
            assert [self.here.messages.uid(at) for at in range(len(self.here))] == self.there


TestClient = Client.TestCase
