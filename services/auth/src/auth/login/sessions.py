"""The check of open sessions: account enabled, password unchanged, protocol on; renewal of their proofs (decisions 15, 40 and 111)."""

from collections.abc import Sequence

from auth import metrics
from auth.limits import may_log_in
from auth.login.domains import KnownDomains
from auth.storage.directory import Directory
from auth_api.wire import SessionAnswers, SessionQuestion
from mailkit.errors import Unproven
from mailkit.process.clock import Clock
from mailkit.rpc.proof import LIFE, RENEWABLE, ProofKeys, expires


class SessionChecks:
    """Answers lists of session questions in one statement, and one for domains that are not known."""

    def __init__(self, directory: Directory, clock: Clock, proofs: ProofKeys, domains: KnownDomains) -> None:
        self._domains = domains
        self._directory = directory
        self._clock = clock
        self._kinds = (proofs, proofs.for_sending())

    async def answer(self, items: Sequence[SessionQuestion]) -> SessionAnswers:
        """Return one answer per question, in order. Raises Unavailable."""
        asked = [(item.mailbox_id, item.credential_version) for item in items]
        found = await self._directory.sessions(asked, self._clock.now())
        domains = await self._domains.of({domain for domain in found if domain})
        known = [
            domain is not None and (not item.protocol or may_log_in(item.protocol, domains[domain].limits))
            for item, domain in zip(items, found, strict=True)
        ]
        now = self._clock.timestamp()
        renewed = [self._renew(item, now) if good else None for item, good in zip(items, known, strict=True)]
        good = [proof is not None for proof in renewed]
        metrics.SESSIONS_ENDED.inc(good.count(False))
        return SessionAnswers(good, proofs=[proof or b"" for proof in renewed])

    def _renew(self, item: SessionQuestion, now: float) -> bytes | None:
        """Return a new proof for a valid one past half of its lifetime; empty: keep the old one; None: it is not valid.

        Only a valid proof is exchanged, for one of its kind: a caller's token alone never yields the first proof for a mailbox.
        """
        if not item.proof or expires(item.proof) > now + LIFE / 2:
            return b""
        for keys in self._kinds:
            try:
                version = keys.check(item.mailbox_id, item.proof, now, grace=RENEWABLE)
            except Unproven:
                continue
            return keys.sign(item.mailbox_id, version, now + LIFE) if version == item.credential_version else None
        return None
