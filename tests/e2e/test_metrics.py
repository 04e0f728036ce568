"""What the services count is what happened: `/metrics` before and after, compared exactly."""

import contextlib
import imaplib
import poplib
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from mailkit.testing.speed import patient
from tests.support.clients import STRANGER, imap, pop3, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for
from tests.support.world import World

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
CLIENT = "127.0.0.61"


def scraped(run: Run) -> Series:
    """All series of all five services, summed where two have the same."""
    found: Series = {}
    for service in ("AUTH", "QUEUE", "MAILSTORE", "GATEWAY", "FRONTEND"):
        with urllib.request.urlopen(run.env[f"POSTRIDER_{service}_URL"] + "/metrics", timeout=patient(10)) as reply:
            for family in text_string_to_metric_families(reply.read().decode()):
                for sample in family.samples:
                    key = sample.name, frozenset(sample.labels.items())
                    found[key] = found.get(key, 0.0) + sample.value
    return found


def grown(run: Run, before: Series) -> Callable[..., float]:
    """`more(name, label=value, …)`: by how much a series has grown since `before`."""
    after = scraped(run)

    def more(name: str, **labels: str) -> float:
        key = name, frozenset(labels.items())
        assert key in after, f"{name}{labels} is not exposed"
        return after[key] - before.get(key, 0.0)

    return more


def test_refusals_by_reason(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    run.cli("badmailfrom", "add", "metrics-spam@far.example")
    before = scraped(run)
    with smtp(run, STRANGER) as client:
        client.mail("a@far.example")
        client.rcpt("somebody@far.example")
        client.rcpt("somebody@elsewhere.example")
        client.rcpt(f"nobody@{user.domain}")
        client.rset()
        client.mail("a@gone.example")
        client.docmd("NOSUCH")
    more = grown(run, before)
    assert more("postrider_gateway_rejected_total", reason="no_relay") == 2
    assert more("postrider_gateway_rejected_total", reason="no_mailbox") == 1
    assert more("postrider_gateway_rejected_total", reason="sender_domain") == 1
    assert more("postrider_gateway_rejected_total", reason="protocol") == 1
    assert more("postrider_gateway_refused_total", command="RCPT", code="550") == 3
    assert more("postrider_gateway_accepted_total", listener="smtp") == 0

    def listed() -> bool:
        with smtp(run, STRANGER) as client:
            return client.mail("metrics-spam@far.example")[0] == 554

    wait_for(listed, 5)
    assert grown(run, before)("postrider_gateway_rejected_total", reason="badmailfrom") == 1


def test_a_message_is_counted_in_every_room(run: Run, world: World) -> None:
    user, far = run.mailbox(run.domain()), world.remote()
    before = scraped(run)
    with smtp(run, STRANGER, "SUBMISSION", login=user) as client:
        client.sendmail(user.address, [user.address, f"x@{far.domain}"], message(user.address, "both"))
    wait_for(far.messages)

    def counted() -> bool:
        more = grown(run, before)
        return more("postrider_queue_attempts_total", kind="remote", end="delivered") == 1 and (
            more("postrider_mailstore_filed_total", answer="filed") == 1
        )

    wait_for(counted, 10)
    more = grown(run, before)
    assert more("postrider_gateway_accepted_total", listener="submission") == 1
    assert more("postrider_gateway_transactions_total", by="auth") == 1
    assert more("postrider_gateway_logins_total", outcome="ok") == 1
    assert more("postrider_auth_logins_total", protocol="smtp", outcome="ok") == 1
    assert more("postrider_gateway_command_seconds_count", command="DATA_END") == 1
    assert more("postrider_queue_accepted_total") == 1
    assert more("postrider_queue_delivery_seconds_count", kind="local") == 1
    assert more("postrider_mailstore_filed_bytes_total") > 300
    assert (
        more("postrider_upstream_seconds_count", upstream="queue-worker", endpoint="/v1/submissions", outcome="ok") == 1
    )
    assert (
        more("postrider_upstream_seconds_count", upstream="queue-worker", endpoint="/v1/submissions", outcome="away")
        == 0
    )


def test_readers_and_grants(run: Run, world: World) -> None:
    user, far = run.mailbox(run.domain()), world.remote()
    before = scraped(run)
    pop3(run, user, CLIENT).quit()
    reader = imap(run, user, CLIENT)
    more = grown(run, before)
    assert more("postrider_frontend_imap_sessions_open") == 1
    assert more("postrider_frontend_logins_total", protocol="pop3", outcome="ok") == 1
    assert more("postrider_frontend_logins_total", protocol="imap", outcome="ok") == 1
    assert more("postrider_auth_grants_given_total") == 2
    reader.search(None, "ALL")
    with contextlib.suppress(imaplib.IMAP4.error):
        reader.search(None, "NOSUCH")
    reader.logout()
    with contextlib.suppress(imaplib.IMAP4.error):
        imap(run, Account(user.address, "wrong"), CLIENT)
    with smtp(run, CLIENT) as client:
        client.sendmail(user.address, [f"x@{far.domain}"], message(user.address, "by grant"))
    wait_for(far.messages)
    wait_for(lambda: grown(run, before)("postrider_frontend_imap_sessions_open") == 0, 5)
    more = grown(run, before)
    assert more("postrider_frontend_imap_commands_total", command="SEARCH", answer="OK") == 1
    assert more("postrider_frontend_imap_commands_total", command="SEARCH", answer="BAD") == 1
    assert more("postrider_frontend_command_seconds_count", protocol="imap", command="SEARCH") == 2
    assert more("postrider_frontend_logins_total", protocol="imap", outcome="refused") == 1
    assert more("postrider_gateway_transactions_total", by="grant") == 1
    assert more("postrider_listener_session_seconds_count", listener="imap") == 2
    assert more("postrider_listener_connections_open", listener="imap") == 0


def test_answers_after_wrong_passwords_are_delayed_in_every_protocol(run: Run) -> None:
    user = run.mailbox(run.domain())
    stranger = Account(user.address, "wrong")
    before = scraped(run)
    for _ in range(2):  # the first wrong password is answered at once
        with contextlib.suppress(imaplib.IMAP4.error):
            imap(run, stranger, CLIENT)
    with contextlib.suppress(poplib.error_proto):
        pop3(run, stranger, CLIENT)
    with smtp(run, CLIENT) as client, contextlib.suppress(smtplib.SMTPAuthenticationError):
        client.starttls(context=tls_context(run))
        client.login(stranger.address, stranger.password)  # by PLAIN, and then by LOGIN
    more = grown(run, before)
    assert more("postrider_login_delayed_total", outcome="answered") == 4
    assert more("postrider_login_delays_waiting_count") == 0
    imap(run, user, CLIENT).logout()


def test_every_kind_of_endpoint_is_timed_and_no_id_is_a_label(run: Run) -> None:
    user = run.mailbox(run.domain())
    before = scraped(run)
    reader = imap(run, user)
    reader.append("INBOX", "", "", message("a@far.example", user.address))
    reader.fetch("1", "(BODY.PEEK[])")
    reader.logout()
    run.api("GET", "auth", f"/v1/mailboxes/{user.address}")
    for path in ("/v1/mailboxes/nobody@nowhere.test", "/v1/nosuch/endpoint"):
        with contextlib.suppress(urllib.error.HTTPError):
            run.api("GET", "auth", path)
    more = grown(run, before)
    assert more("postrider_http_request_seconds_count", endpoint="/v1/messages/append", outcome="ok") == 1
    assert more("postrider_http_request_seconds_count", endpoint="/v1/messages/fetch", outcome="ok") == 1
    assert more("postrider_http_request_seconds_count", endpoint="/v1/mailboxes/{address}", outcome="ok") == 1
    assert more("postrider_http_request_seconds_count", endpoint="/v1/mailboxes/{address}", outcome="failed") == 1
    endpoints = {
        dict(labels)["endpoint"] for name, labels in scraped(run) if name == "postrider_http_request_seconds_count"
    }
    assert not [endpoint for endpoint in endpoints if "@" in endpoint or "nosuch" in endpoint]


def test_a_connection_is_open_as_long_as_it_is(run: Run) -> None:
    before = scraped(run)
    client = smtp(run, STRANGER)
    assert grown(run, before)("postrider_gateway_sessions_open", listener="smtp") == 1
    with contextlib.suppress(smtplib.SMTPServerDisconnected):
        client.quit()
    wait_for(lambda: grown(run, before)("postrider_gateway_sessions_open", listener="smtp") == 0, 5)
