"""Results of TLS sessions, counted by day, domain and policy for reports (RFC 8460 4; docs/decisions/0098)."""

import ssl

from mailkit.process.clock import Clock
from queue_worker.reports.counts import Counts
from queue_worker.storage.tls_results import TlsSession
from queue_worker.tls.policy import Kind, TlsPolicy

#: Most different results that a worker holds between two writes to the database; further ones are not counted.
MOST_HELD = 5_000
#: Most characters of a policy, and of its patterns, that are kept with each result; further lines are left out of reports.
MOST_TEXT = 2_000
#: Failure types of RFC 8460 4.3 by the codes of OpenSSL's verification; "validation-failure" is the type of all others.
_BY_CODE = {
    10: "certificate-expired",
    18: "certificate-not-trusted",
    19: "certificate-not-trusted",
    20: "certificate-not-trusted",
    21: "certificate-not-trusted",
    62: "certificate-host-mismatch",
}
NO_STARTTLS, INVALID = "starttls-not-supported", "validation-failure"
#: The policy types of RFC 8460 4.2; sessions by other policies are not the domain's concern.
_TYPES: dict[Kind, str] = {
    "opportunistic": "no-policy-found",
    "mta-sts": "sts",
    "mta-sts-testing": "sts",
    "dane": "tlsa",
    "dane-unusable": "tlsa",
}


class TlsCounts(Counts[TlsSession]):
    """The results since they were last taken. Without a clock nothing is counted."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(MOST_HELD)
        self._clock = clock

    def note(
        self, domain: str, policy: TlsPolicy, failure: str, host: str = "", address: str = "", source: str = ""
    ) -> None:
        """Count a session by `policy`, from our address `source`; `failure` is its type, "" if it was successful."""
        kind = _TYPES.get(policy.kind)
        if self._clock is None or kind is None or domain.startswith("["):
            return
        where = (host, address) if failure else ("", "")
        day = self._clock.now().date()
        published, mx = _cut(policy.published), _cut("\n".join(policy.mx))
        self.add(
            TlsSession(day, domain, kind, policy.record, failure, *where, published, mx, source if failure else "")
        )


def _cut(lines: str) -> str:
    """Return the first lines, of at most MOST_TEXT characters."""
    return lines if len(lines) <= MOST_TEXT else lines[: MOST_TEXT + 1].rpartition("\n")[0]


def failure_of(error: BaseException) -> str:
    """Return the failure type of a handshake that ended with `error`."""
    return _BY_CODE.get(error.verify_code, INVALID) if isinstance(error, ssl.SSLCertVerificationError) else INVALID
