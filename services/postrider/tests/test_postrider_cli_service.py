"""Every command against the running service: what it changes, and what scripts read back."""

import datetime
import json
import signal
import smtplib
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from passlib.hash import md5_crypt

from mailkit.testing.dns import FakeDns
from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.support.run import Run, running, wait_for

MB = 1 << 20


@pytest.fixture(scope="module")
def service() -> Iterator[Run]:
    with FakeDns() as dns:
        dns.fail("far.test", "SERVFAIL")  # mail to others waits in the queue
        with running(DNS_SERVERS=dns.server) as run:
            yield run


@pytest.fixture
def domain(service: Run) -> str:
    return str(service.cli("domain", "add", f"d{uuid.uuid4().hex[:8]}.test")["name"])


def refused(service: Run, *words: str, text: str = "") -> str:
    done: subprocess.CompletedProcess[str] = service.cli_process(*words, "--json", text=text)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    return done.stderr


def moment(text: str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(text)
    assert found.tzinfo is not None
    return found


def mailbox(service: Run, address: str) -> Any:
    return service.cli("mailbox", "add", address, "--password-stdin", "--quota", "25MB", text="first password\n")


def test_domains(service: Run, domain: str) -> None:
    (record,) = [row for row in service.cli("domain", "ls") if row["name"] == domain]
    assert uuid.UUID(record["id"]) and moment(record["created_at"]) and record["state"]
    assert [row["address"] for row in service.cli("mailbox", "ls", domain)] == [f"postmaster@{domain}"]
    assert domain in service.cli_process("domain", "ls").stdout
    assert "domain" in refused(service, "domain", "add", domain)
    anna = mailbox(service, f"anna@{domain}")["address"]
    refused(service, "domain", "rm", domain, "--yes")
    service.cli("mailbox", "rm", anna, "--yes")
    assert service.cli("domain", "rm", domain, "--yes") == {"id": record["id"], "name": domain}
    assert domain not in {row["name"] for row in service.cli("domain", "ls")}
    assert domain in refused(service, "domain", "rm", domain, "--yes")


def test_a_mailbox_from_its_first_to_its_last_day(service: Run, domain: str) -> None:
    address = f"anna@{domain}"
    made = mailbox(service, address)
    assert (made["address"], made["quota_limit"]) == (address, 25 * MB) and uuid.UUID(made["id"])
    shown = service.cli("mailbox", "show", address)
    assert (shown["usage"], shown["charged"], shown["messages"], shown["message_limit"]) == (0, 0, 0, 1_000_000)
    assert service.cli("mailbox", "quota", address, "2GB")["quota_limit"] == 2048 * MB

    def logs_in(password: str) -> bool:
        context = ssl.create_default_context(cafile=service.ca_file)
        with smtplib.SMTP("localhost", service.port("SUBMISSION"), timeout=patient(20)) as client:
            client.starttls(context=context)
            try:
                return client.login(address, password)[0] == 235
            except smtplib.SMTPAuthenticationError:
                return False

    assert logs_in("first password")
    hashed = md5_crypt.hash("from vpopmail")
    service.cli("mailbox", "passwd", address, "--password-hash", text=f"{hashed}\n")
    wait_for(lambda: logs_in("from vpopmail"), 5)
    second = service.cli("mailbox", "add", f"hash@{domain}", "--password-hash", text=f"{hashed}\n")
    assert second["has_password"]
    assert "no kind known" in refused(service, "mailbox", "passwd", address, "--password-hash", text="plain\n")
    service.cli("mailbox", "passwd", address, "--password-stdin", text=" spaces stay \r\n")
    wait_for(lambda: logs_in(" spaces stay "), 5)
    assert not logs_in("first password")
    assert service.cli("mailbox", "disable", address)["state"] == "disabled"
    wait_for(lambda: not logs_in(" spaces stay "), 5)
    held = {"kind": "disabled", "value": made["id"]}
    (pause,) = service.cli("queue", "pauses")
    assert pause.items() >= held.items() and pause["reason"] == "the mailbox is disabled"
    service.cli("mailbox", "enable", address)
    assert service.cli("queue", "pauses") == []
    service.cli("mailbox", "enable", address)
    service.cli("mailbox", "disable", address)
    assert service.cli("queue", "resume", "--account", made["id"]).items() >= held.items()
    assert "no such pause" in refused(service, "queue", "resume", "--account", made["id"])
    service.cli("mailbox", "disable", "--no-hold-queue", address)
    assert service.cli("queue", "pauses") == []
    service.cli("mailbox", "enable", address)
    wait_for(lambda: logs_in(" spaces stay "), 5)

    assert service.cli("mailbox", "rm", address, "--yes") == {"address": address, "id": made["id"], "removed": 0}
    assert address in refused(service, "mailbox", "rm", address, "--yes")
    assert mailbox(service, address)["id"] != made["id"]


def test_a_mailbox_is_renamed_and_mail_to_the_old_address_still_comes(service: Run, domain: str) -> None:
    made = mailbox(service, f"anna@{domain}")
    renamed = service.cli("mailbox", "rename", f"anna@{domain}", f"maria@{domain}")
    assert (renamed["id"], renamed["address"]) == (made["id"], f"maria@{domain}")
    (forward,) = [each for each in service.cli("forward", "ls") if each["address"] == f"anna@{domain}"]
    assert forward["targets"] == [f"maria@{domain}"]
    again = service.cli("mailbox", "rename", "--no-keep-old", f"maria@{domain}", f"eva@{domain}")
    assert again["id"] == made["id"]
    assert f"maria@{domain}" in refused(service, "mailbox", "rename", f"maria@{domain}", f"x@{domain}")


def test_a_removal_is_finished_whichever_step_it_stopped_at(service: Run, domain: str) -> None:
    for steps in (1, 2):
        address = f"m{steps}@{domain}"
        made = mailbox(service, address)
        service.api("POST", "auth", f"/v1/mailboxes/{address}/disable", {"removal": True})
        if steps == 2:
            service.api("DELETE", "mailstore", f"/v1/mailboxes/{made['id']}")
        assert "mailbox rm" in refused(service, "mailbox", "enable", address)
        service.cli("mailbox", "rm", address, "--yes")
        assert address not in {row["address"] for row in service.cli("mailbox", "ls", domain)}


def test_routing(service: Run, domain: str) -> None:
    anna = mailbox(service, f"anna@{domain}")["address"]
    added = service.cli("forward", "add", anna, f"b@{domain}", "c@far.test", "--keep-copy")
    assert service.cli("forward", "ls", domain) == [added]
    assert added["targets"] == [f"b@{domain}", "c@far.test"] and added["keep_copy"] is True
    service.cli("forward", "rm", anna)
    assert service.cli("forward", "ls", domain) == []
    assert anna in refused(service, "forward", "rm", anna)

    for words, found in (
        (["mailbox", anna], ("mailbox", anna, None)),
        (["forward", "x@far.test"], ("forward", None, ["x@far.test"])),
        (["bounce"], ("bounce", None, None)),
    ):
        service.cli("catchall", "set", domain, *words)
        record = service.cli("catchall", "show", domain)
        assert (record["kind"], record["mailbox"], record["targets"] or None) == found
    assert "mailbox, forward or bounce" in refused(service, "catchall", "set", domain, "drop")
    assert "needs an address" in refused(service, "catchall", "set", domain, "mailbox")

    for entry in (f"@{domain}", f"bad@{domain}"):
        service.cli("badmailfrom", "add", entry)
        assert entry in {row["entry"] for row in service.cli("badmailfrom", "ls")}
        service.cli("badmailfrom", "rm", entry)
        assert entry not in {row["entry"] for row in service.cli("badmailfrom", "ls")}


def test_grants(service: Run, domain: str) -> None:
    import poplib

    both = [mailbox(service, f"{name}@{domain}")["address"] for name in ("anna", "ben")]
    for address in both:
        client = poplib.POP3_SSL(
            "localhost",
            service.port("POP3S"),
            context=ssl.create_default_context(cafile=service.ca_file),
            timeout=patient(20),
        )
        client.user(address)
        client.pass_("first password")
        client.quit()
    rows = [row for row in service.cli("grant", "ls") if row["mailbox"] in both]
    assert {row["mailbox"] for row in rows} == set(both)
    ip = rows[0]["address"]
    assert uuid.UUID(rows[0]["id"]) and moment(rows[0]["expires_at"]) > moment(rows[0]["granted_at"])
    assert [row["mailbox"] for row in service.cli("grant", "revoke", ip, "--mailbox", both[0])] == [both[0]]
    assert [row["mailbox"] for row in service.cli("grant", "ls") if row["mailbox"] in both] == [both[1]]
    service.cli("grant", "revoke", ip)
    assert service.cli("grant", "ls") == []
    assert "grant" in refused(service, "grant", "revoke", ip)
    refused(service, "grant", "revoke")


def test_the_queue(service: Run, domain: str) -> None:
    sender = mailbox(service, f"anna@{domain}")["address"]
    context = ssl.create_default_context(cafile=service.ca_file)
    with smtplib.SMTP("localhost", service.port("SMTP"), timeout=patient(20)) as stranger:
        stranger.ehlo()
        stranger.mail("")
        assert stranger.rcpt("y@far.test")[0] == 550
    with smtplib.SMTP_SSL("localhost", service.port("SMTPS"), context=context, timeout=patient(20)) as client:
        client.login(sender, "first password")
        client.sendmail(sender, ["x@far.test"], f"From: {sender}\r\nSubject: waits\r\n\r\nHello.\r\n")
    (entry,) = wait_for(lambda: service.cli("queue", "ls", "--sender", sender))
    told = next(r for r in service.cli("trace", "--account", sender, "--since", "1h") if r["kind"] == "message")
    assert (told["id"], told["account_address"], told["by"]) == (entry["id"], sender, "auth")
    received = f"Received: from x ([192.0.2.1])\n\tby mx (Postrider)\n\tid {entry['id']}; today"
    line = service.cli_process("trace", "--who", received).stdout
    assert line.startswith(f"{entry['id']}: {sender} by SMTP AUTH, from 127.0.0.1") and line.count("\n") == 1
    assert "recipient 0 <x@far.test>" in service.cli_process("trace", entry["id"]).stdout
    assert "no queue id" in refused(service, "trace", "--who", "nothing of ours")
    (found,) = wait_for(lambda: [r for r in service.cli("trace", "--rule", "S10") if r["recipients"] == ["y@far.test"]])
    assert (found["kind"], found["sender"], found["reply"][:9]) == ("refusal", "", "550 5.7.1")
    assert [r["kind"] for r in service.cli("trace", "--address", "y@far.test")] == ["refusal"]
    assert "refused by S10 (" in service.cli_process("trace", "--client", "127.0.0.1").stdout
    assert sender in [r["account_address"] for r in service.cli("trace", "--rule", "S3") if r["kind"] == "message"]
    asked = ("simulate", "--client", "192.0.2.7", "--from", sender, "--rcpt", "x@far.test")
    done = service.cli_process(*asked)
    assert done.returncode == 1 and "refused by S10" in done.stdout and "< 550 5.7.1 Sorry, that domain" in done.stdout
    told = service.cli(*asked, "--auth", sender)
    assert (told["accepted"], told["routes"][0]["status"]) == (True, "4.4.3")
    assert (
        f"far.test, port {service.env.get('POSTRIDER_REMOTE_SMTP_PORT', 25)}"
        in service.cli_process(*asked, "--grant", sender).stdout
    )
    service.cli("domain", "identity", domain, "enforce")
    forged = service.cli_process(*asked, "--auth", sender, "--header", "From: boss@else.test", "--header", "Subject: x")
    assert forged.returncode == 1 and "refused by from_identity  addresses=boss@else.test" in forged.stdout
    assert "< 550 5.7.1 The address in From is not yours" in forged.stdout
    service.cli("domain", "identity", domain, "off")
    assert service.cli("queue", "ls", "--domain", "else.test") == []
    assert len(service.cli("queue", "ls", "--limit", "1")) == 1

    def recipient() -> Any:
        return service.cli("queue", "show", entry["id"])["recipients"][0]

    def more_tries_than(tries: int) -> bool:
        return bool(recipient()["tries"] > tries)

    wait_for(lambda: recipient()["reply"])
    found = recipient()
    assert found["address"] == "x@far.test" and moment(found["expires"]) and "\n" not in found["reply"]
    assert "x@far.test" in service.cli_process("queue", "show", entry["id"]).stdout
    for words in ([entry["id"]], ["--all"]):
        tries = recipient()["tries"]
        assert service.cli("queue", "retry", *words)["recipients"] >= 1
        wait_for(partial(more_tries_than, tries))
    assert "queue id" in refused(service, "queue", "show", "nothing")
    assert "no message" in refused(service, "queue", "show", uuid.uuid4().hex)
    assert "no message" in refused(service, "queue", "retry", uuid.uuid4().hex)
    refused(service, "queue", "retry", entry["id"], "--all")
    wait_for(lambda: service.cli("queue", "hold", "--account", sender, "--reason", "a spam run")["recipients"])
    assert recipient()["state"] == "held" and service.cli("queue", "hold", "--account", sender)["recipients"] == 0
    assert "neither expires" in service.cli_process("queue", "show", entry["id"]).stdout
    assert service.cli("queue", "release", "--all", "--dry-run") == {"messages": 1, "recipients": 1, "busy": 0}
    made = service.cli("queue", "pause", "--destination", "Far.test", "--reason", "a test")
    assert made["value"] == "far.test" and service.cli("queue", "pauses") == [made]
    assert service.cli("queue", "release", entry["id"])["recipients"] == 1
    assert "far.test is paused" in service.cli_process("queue", "show", entry["id"]).stdout
    assert service.cli("queue", "rm", "--sender", sender, "--older", "0s", "--yes")["recipients"] == 1
    assert recipient()["state"] == "removed"
    assert service.cli("queue", "resume", "--destination", "far.test")["value"] == "far.test"
    story = service.cli_process("trace", entry["id"]).stdout
    done = [line.strip().split("  ")[1:] for line in story.splitlines() if "  by " in line]
    assert [words[0].strip() for words in done if words[0].strip() != "retry"] == [
        "hold",
        "pause destination far.test",
        "release",
        "remove",
    ], story
    (held,) = [line for line in story.splitlines() if "  hold  " in line]
    assert "recipient 0 <x@far.test>  by " in held and held.endswith(": a spam run")


def test_the_trace_is_followed_until_it_is_interrupted(service: Run, domain: str) -> None:
    sender = mailbox(service, f"anna@{domain}")["address"]

    def send(subject: str) -> str:
        context = ssl.create_default_context(cafile=service.ca_file)
        with smtplib.SMTP_SSL("localhost", service.port("SMTPS"), context=context, timeout=patient(20)) as client:
            client.login(sender, "first password")
            client.mail(sender)
            client.rcpt(sender)
            return client.data(f"From: {sender}\r\nSubject: {subject}\r\n\r\nHello.\r\n")[1].decode().split()[-1]

    first = send("before")
    words = service._cli("trace", "--follow", "--account", sender)
    with subprocess.Popen(
        words, env=service.environment(), stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent()
    ) as follower:
        assert follower.stdout is not None
        lines: list[str] = []

        def read_until(text: str) -> None:
            assert follower.stdout is not None
            while not any(text in line for line in lines):
                line = follower.stdout.readline()
                assert line, lines  # the test's own limit ends a wait without end
                lines.append(line.rstrip())

        try:
            read_until(f"{first}: {sender} by SMTP AUTH")
            second = send("meanwhile")
            for text in (f"{second}: {sender} by SMTP AUTH", f"{second}: 20"):
                read_until(text)
            follower.send_signal(signal.SIGINT)
            lines += follower.stdout.read().splitlines()
            assert follower.wait(patient(10)) == 0
        finally:
            follower.kill()
    of_messages = [line for line in lines if line.startswith((first, second))]
    assert len(of_messages) == len(set(of_messages)), "each event is printed once"
    assert of_messages.index(next(line for line in of_messages if line.startswith(second))) > 0


def test_an_interruption_ends_the_followed_trace_also_where_a_call_loses_its_cancellation() -> None:
    code = """
import asyncio
from postrider.commands import trace

async def stubborn():
    print("looking", flush=True)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(3600)

trace._find = lambda *_: asyncio.run(stubborn())
trace._follow(None, 1, False)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent()
    ) as follower:
        assert follower.stdout is not None
        try:
            assert follower.stdout.readline() == "looking\n"
            follower.send_signal(signal.SIGINT)
            assert follower.wait(patient(10)) == 0
        finally:
            follower.kill()


def test_routes(service: Run, domain: str) -> None:
    sender = mailbox(service, f"anna@{domain}")
    given = ("--host", "Relay.example", "--port", "465", "--tls", "implicit", "--user", "u", "--password-stdin")
    made = service.cli("route", "add", "--destination", "Far2.test", *given, "--reason", "blocked", text="secret\n")
    assert (made["kind"], made["value"], made["host"], made["port"]) == (
        "destination",
        "far2.test",
        "relay.example",
        465,
    )
    own = service.cli("route", "add", "--account", sender["address"], "--source", "127.0.0.1", "--helo", "out.example")
    assert (own["value"], own["host"], own["helo"]) == (sender["id"], None, "out.example")
    service.cli("route", "add", "--sender", domain, "--host", "first.example")
    service.cli("route", "add", "--sender", domain, "--host", "second.example")
    rows = {(row["kind"], row["value"]): row for row in service.cli("route", "ls")}
    assert list(rows) == [("account", sender["id"]), ("destination", "far2.test"), ("sender", domain)]
    assert rows["sender", domain]["host"] == "second.example", "the later takes the place of the earlier"
    service.cli("route", "add", "--name", "Backup", "--host", "backup.example")
    assert service.cli("queue", "route", "backup", "--domain", "far2.test", "--dry-run")["recipients"] == 0
    assert service.cli("queue", "route", "default", "--all")["recipients"] == 0
    unknown = service.cli_process("queue", "route", "nowhere", "--all")
    assert unknown.returncode == 1 and "there is no route named nowhere" in unknown.stderr
    service.cli("route", "rm", "--name", "backup")
    assert "secret" not in json.dumps(service.cli("route", "ls")) + service.cli_process("route", "ls").stdout
    for words in (
        (),
        ("--destination", "a.test", "--all", "--host", "x.example"),
        ("--destination", "a.test"),
        ("--destination", "a.test", "--host", "x.example", "--tls", "never"),
        ("--destination", "a.test", "--source", "no address"),
        ("--account", f"nobody@{domain}", "--host", "x.example"),
    ):
        done = service.cli_process("route", "add", *words)
        assert (done.returncode != 0, done.stdout) == (True, "") and done.stderr, words
    insecure = ("--host", "x.example", "--tls", "opportunistic", "--user", "u", "--password-stdin")
    assert "verified TLS" in service.cli_process("route", "add", "--all", *insecure, text="secret\n").stderr
    for words in (("--destination", "far2.test"), ("--account", sender["address"]), ("--sender", domain)):
        assert service.cli("route", "rm", *words)["kind"] == words[0][2:]
        assert "no such route" in refused(service, "route", "rm", *words)
    assert service.cli("route", "ls") == []


def test_the_certificate_of_the_run_is_listed(service: Run) -> None:
    (shared,) = [row for row in service.cli("certificate", "ls") if row["name"] == "default"]
    assert moment(shared["expires"]) and json.dumps(shared["path"])


def test_the_probe_sends_and_reads_and_leaves_no_grant(service: Run) -> None:
    done = service.cli_process("probe", "--once", "--domain", "probe.test")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["failures"]) == (0, True, {})
    assert list(told["seconds"]) == ["grant", "revoke", "auth", "imap", "pop3"]
    assert [row for row in service.cli("grant", "ls") if "probe.test" in row["mailbox"]] == []
    without = json.loads(service.cli_process("probe", "--once", "--domain", "probe.test", "--no-grant").stdout)
    # P4: the mailbox was read by POP3 a moment ago; the other steps do not depend on that
    assert (list(without["seconds"]), list(without["failures"])) == (["auth", "imap"], ["pop3"])
