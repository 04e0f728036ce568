"""The probe: messages through SMTP by a fresh OPEN-SMTP grant and by AUTH, read by IMAP and POP3, timed and counted.

Python's own library and prometheus_client only, so that the chart runs this file in a service's image (docs/decisions/0087).
"""

import contextlib
import imaplib
import json
import os
import poplib
import secrets
import smtplib
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, start_http_server

#: Seconds between two rounds: more than the 60 of P4, which a POP3 login of every round has to respect.
EVERY = 90.0
#: Longest wait for a reply, and for an accepted message to be in its mailbox (seconds).
REPLY_SECONDS, ARRIVAL_SECONDS = 20.0, 60.0
POLL_SECONDS = 0.5
STEPS = ("grant", "revoke", "auth", "imap", "pop3")

SECONDS = Histogram(
    "postrider_probe_seconds",
    "Time of the probe's steps: grant (an IMAP login, then a message without AUTH), revoke (of the grant), auth (a message with "
    "AUTH), imap (until both are in the mailbox), pop3 (both are read and deleted)",
    ["step"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
FAILURES = Counter(
    "postrider_probe_failures_total", "Steps of the probe that failed (steps: postrider_probe_seconds)", ["step"]
)
LAST_SUCCESS = Gauge(
    "postrider_probe_last_success_seconds", "When the last round without a failure ended, in seconds since 1970"
)
for _step in STEPS:
    SECONDS.labels(_step)
    FAILURES.labels(_step)

#: What a step may fail with; anything else is a bug and ends the probe.
_ERRORS = (OSError, smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto, LookupError)


@dataclass(frozen=True)
class ProbedService:
    """Where the service is. `auth_url` and `token`: of auth's operators' API.

    `internal_smtp` and `internal_imaps`: host and port of internal listeners, for the step with a grant (docs/decisions/0103).
    """

    auth_url: str
    token: str
    smtp_host: str
    read_host: str
    submission: int = 587
    imaps: int = 993
    pop3s: int = 995
    internal_smtp: tuple[str, int] | None = None
    internal_imaps: tuple[str, int] | None = None
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Call auth. Raises HTTPError and other OSErrors."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.auth_url + path, data, headers, method=method)  # noqa: S310 - an operator's URL
        with urllib.request.urlopen(request, timeout=REPLY_SECONDS) as reply:  # noqa: S310
            return json.loads(reply.read() or b"null")


class Probe:
    """Two mailboxes of one domain of the probe's own: `sender` logs in and sends, `reader` is sent to and read."""

    def __init__(
        self, service: ProbedService, domain: str, *, grant: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._domain = domain
        self._steps = STEPS if grant else STEPS[2:]
        self._clock = clock
        self._password = secrets.token_urlsafe(24)
        self.sender, self.reader = f"sender@{domain}", f"reader@{domain}"
        self.failures: dict[str, str] = {}
        """Why steps of the last round failed."""
        self.seconds: dict[str, float] = {}
        """How long the other ones took."""

    def prepare(self) -> None:
        """Make domain and mailboxes where they are missing, with a new password that is nowhere else. Raises OSError."""
        self._unless_there("/v1/domains", {"name": self._domain})
        for address in (self.sender, self.reader):
            password = {"password": self._password}
            if not self._unless_there("/v1/mailboxes", {"address": address, **password}):
                self._service.ask("PUT", f"/v1/mailboxes/{address}/password", password)

    def _unless_there(self, path: str, body: dict[str, str]) -> bool:
        try:
            self._service.ask("POST", path, body)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            return False
        return True

    def round(self) -> bool:
        """Run every step once; return whether all succeeded. A step that fails does not keep the others from being run."""
        self.failures, self.seconds = {}, {}
        sent: list[str] = []
        if "grant" in self._steps:
            try:
                with self._step("grant"):
                    self._log_in()
                    sent.append(self._send(login=False))
            finally:
                with self._step("revoke"):
                    self._revoke(self.sender)
        with self._step("auth"):
            sent.append(self._send(login=True))
        try:
            with self._step("imap"):
                self._arrived(sent)
            with self._step("pop3"):
                self._read_and_delete(sent)
        finally:
            with contextlib.suppress(
                *_ERRORS
            ):  # the reader's logins gave grants, too; unused, they expire within the hour
                self._revoke(self.reader)
        if not self.failures:
            LAST_SUCCESS.set_to_current_time()
        return not self.failures

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = self._clock()
        try:
            yield
        except _ERRORS as error:
            FAILURES.labels(name).inc()
            self.failures[name] = f"{type(error).__name__}: {error}"[:300]
        else:
            self.seconds[name] = self._clock() - started
            SECONDS.labels(name).observe(self.seconds[name])

    def _log_in(self) -> None:
        with self._imap(self.sender, self._service.internal_imaps):
            pass

    def _imap(self, address: str, place: tuple[str, int] | None = None) -> imaplib.IMAP4_SSL:
        where = self._service
        host, port = place or (where.read_host, where.imaps)
        imap = imaplib.IMAP4_SSL(host, port, ssl_context=where.tls, timeout=REPLY_SECONDS)
        try:
            imap.login(address, self._password)
        except BaseException:
            imap.shutdown()
            raise
        return imap

    def _send(self, *, login: bool) -> str:
        """Send a message by submission, where a client needs AUTH or a grant (530 5.7.0 without); return its mark."""
        mark = secrets.token_hex(12)
        where = self._service
        host, port = (None if login else where.internal_smtp) or (where.smtp_host, where.submission)
        with smtplib.SMTP(host, port, timeout=REPLY_SECONDS) as smtp:
            smtp.starttls(context=where.tls)
            if login:
                smtp.login(self.sender, self._password)
            text = f"From: {self.sender}\r\nTo: {self.reader}\r\nSubject: probe {mark}\r\n\r\nSent by the probe.\r\n"
            smtp.sendmail(self.sender, [self.reader], text)
        return mark

    def _revoke(self, address: str) -> None:
        self._service.ask("DELETE", f"/v1/grants?{urllib.parse.urlencode({'mailbox': address})}")

    def _arrived(self, marks: Sequence[str]) -> None:
        until = self._clock() + ARRIVAL_SECONDS
        with self._imap(self.reader) as imap:
            missing = list(marks)
            while True:
                imap.select("INBOX", readonly=True)
                missing = [mark for mark in missing if not imap.search(None, "SUBJECT", mark)[1][0]]
                if not missing:
                    return
                if self._clock() > until:
                    raise TimeoutError(f"{len(missing)} of {len(marks)} accepted messages are not in the mailbox")
                time.sleep(POLL_SECONDS)

    def _read_and_delete(self, marks: Sequence[str]) -> None:
        where = self._service
        pop3 = poplib.POP3_SSL(where.read_host, where.pop3s, context=where.tls, timeout=REPLY_SECONDS)
        try:
            pop3.user(self.reader)
            pop3.pass_(self._password)
            count, _ = pop3.stat()
            read = b""
            for number in range(1, count + 1):
                read += b"\n".join(pop3.retr(number)[1])
                pop3.dele(number)
            pop3.quit()
        finally:
            pop3.close()
        missing = [mark for mark in marks if mark.encode() not in read]
        if missing:
            raise LookupError(f"POP3 shows {count} messages, and not {len(missing)} of {len(marks)} that IMAP shows")


def run(probe: Probe, every: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Run a round every `every` seconds, for ever; print each as one line of JSON."""
    while True:
        started = time.monotonic()
        probe.round()
        print(line(probe), flush=True)
        sleep(max(every - (time.monotonic() - started), 1.0))


def serve_metrics(port: int) -> None:
    """Answer /metrics on `port`."""
    start_http_server(port)


def line(probe: Probe) -> str:
    """Return the result of the last round."""
    seconds = {name: round(value, 3) for name, value in probe.seconds.items()}
    return json.dumps({"event": "probe", "ok": not probe.failures, "seconds": seconds, "failures": probe.failures})


def _place(text: str) -> tuple[str, int] | None:
    """Return host and port of `host:port`."""
    host, _, port = text.rpartition(":")
    return (host, int(port)) if host else None


def main() -> None:
    """Run the probe in a container, by the environment that the chart gives it."""
    given = os.environ
    # names inside the cluster are not in the certificate
    service = ProbedService(
        given["AUTH_URL"],
        given["ADMIN_TOKEN"],
        given["SMTP_HOST"],
        given["READ_HOST"],
        internal_smtp=_place(given.get("INTERNAL_SMTP", "")),
        internal_imaps=_place(given.get("INTERNAL_IMAPS", "")),
        tls=ssl._create_unverified_context(),  # noqa: S323
    )
    probe = Probe(service, given["DOMAIN"], grant=given["GRANT"] == "true")
    serve_metrics(int(given["METRICS_PORT"]))
    while True:
        try:
            probe.prepare()
            break
        except OSError as error:
            print(json.dumps({"event": "probe", "ok": False, "failures": {"prepare": str(error)}}), flush=True)
            time.sleep(5)
    run(probe, EVERY)


if __name__ == "__main__":
    main()
