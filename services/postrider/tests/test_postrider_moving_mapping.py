"""What a vpopmail host becomes, and the dry run's page."""

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from postrider.cli import app
from postrider.moving.limits import plan_name
from postrider.moving.mapping import DomainPlan, PlannedCatchall, PlannedForward, plan
from postrider.moving.meter import Meter
from postrider.moving.notes import EXAMPLES, MOST_REASONS, Notes
from vpopmail.host import VpopmailHost
from vpopmail.testing import HOME, MD5, BuiltDomain, BuiltHost, BuiltMaildir
from vpopmail.vpasswd import Flags

MB = 1 << 20
VDELIVER = f"| {HOME}/bin/vdelivermail ''"


@pytest.fixture
def site(tmp_path: Path) -> BuiltDomain:
    return BuiltHost(tmp_path).domain("site.com")


def mapped(site: BuiltDomain) -> tuple[DomainPlan, dict[tuple[str, str], str]]:
    """The plan, and the notes: (kind, thing): reason."""
    file = io.StringIO()
    notes = Notes(file)
    with VpopmailHost(str(site.folder.parents[1]), notes.skipped) as host:
        (found,) = [plan(domain, host.default_limits(), notes) for domain in host.domains()]
    said = {}
    for line in file.getvalue().splitlines():
        kind, thing, reason = line.split("\t")
        said[kind, thing.removeprefix("domains/site.com/")] = reason
    return found, said


@pytest.mark.parametrize(
    ("quota", "expected", "note"),
    [
        ("NOQUOTA", 2048 * MB, "no quota becomes 2 GB"),
        ("1000S", 25 * MB, "a quota below 25 MB becomes 25 MB"),
        ("50M", 50 * MB, None),
        ("9G", 2048 * MB, "a quota above 2 GB becomes 2 GB"),
    ],
)
def test_quotas(site, quota, expected, note):
    site.account("anna", quota=quota)
    found, said = mapped(site)
    assert found.mailboxes[0].quota == expected
    assert said.get(("changed", "anna@site.com")) == note


@pytest.mark.parametrize(
    ("hashed", "usable"),
    [
        (MD5, True),
        ("HHJ0joGH1XlhA", True),
        ("$6$salt$" + "x" * 86, True),
        ("", False),
        ("!" + MD5, False),
        ("{MD5}abc", False),
    ],
)
def test_hashes(site, hashed, usable):
    site.account("anna", hashed, quota="50M")
    found, said = mapped(site)
    assert found.mailboxes[0].hash == (hashed if usable else "")
    assert (("changed", "anna@site.com") in said) != usable


@pytest.mark.parametrize(
    ("flags", "disabled", "note"),
    [
        (Flags.NO_POP, False, "POP3 is off"),
        (Flags.BOUNCE_MAIL, False, "mail to it is refused"),
        (Flags.NO_POP | Flags.NO_IMAP | Flags.NO_SMTP, True, None),
        (Flags.DOMAIN_ADMIN, False, "rights of a domain's administrator"),
        (Flags.NO_SPAMASSASSIN, False, None),
    ],
)
def test_bits(site, flags, disabled, note):
    site.account("anna", flags=flags, quota="50M")
    site.account("jo", quota="50M")
    found, said = mapped(site)
    assert found.mailboxes[0].disabled is disabled
    assert said.get(("no place", "anna@site.com")) == note


@pytest.mark.parametrize(
    ("text", "targets", "keep", "note"),
    [
        ("&a@b.test\n&a@b.test\nc@d.test\n", ["a@b.test", "c@d.test"], False, None),
        (f"&a@b.test\n{HOME}/domains/site.com/anna/Maildir/\n", ["a@b.test"], True, None),
        (f"{HOME}/domains/site.com/jo/Maildir/\n", ["jo@site.com"], False, None),
        (f"{HOME}/domains/other.com/x/Maildir/\n", ["x@other.com"], False, None),
        (f"&a@b.test\n{VDELIVER} bounce-no-mailbox\n", ["a@b.test"], True, None),
        ("&a@b.test\n|/bin/filter\n", ["a@b.test"], False, "other programs"),
        ("&root\n", None, False, "forwards to an address without a domain, or that is malformed"),
        ("# nothing\n", None, False, "throwing mail away (.qmail with nothing but comments)"),
        ("", None, False, "a .qmail file of 0 octets, which means qmail's default delivery"),
        (f"{HOME}/domains/site.com/gone/Maildir/\n", None, False, "delivery to an account that does not exist"),
        ("".join(f"&n{n}@b.test\n" for n in range(101)), None, False, "forwards with more than 100 targets"),
        ("./Mailbox\n", None, False, "a line that is a file in mbox format"),
    ],
)
def test_qmail_files_of_an_account(site, text, targets, keep, note):
    site.account("anna", quota="50M")
    site.account("jo", quota="50M")
    site.qmail("anna", text)
    found, said = mapped(site)
    expected = [] if targets is None else [PlannedForward("anna@site.com", tuple(targets), keep)]
    assert found.forwards == expected
    assert said.get(("no place", ".qmail-anna")) == note


def test_an_accounts_own_qmail_file_unless_the_domains_overrules_it(site):
    for name, text in (("anna", "&a@b.test\n"), ("jo", "&a@b.test\n./Maildir/\n"), ("eve", "&away@b.test\n")):
        (site.account(name, quota="50M") / ".qmail").write_text(text)
    site.qmail("eve", "&other@b.test")
    assert mapped(site)[0].forwards == [
        PlannedForward("eve@site.com", ("other@b.test",), False),
        PlannedForward("anna@site.com", ("a@b.test",), False),
        PlannedForward("jo@site.com", ("a@b.test",), True),
    ]


@pytest.mark.parametrize(
    ("text", "expected", "noted"),
    [
        (f"{VDELIVER} bounce-no-mailbox", PlannedCatchall(), False),
        (f"{VDELIVER} delete", PlannedCatchall(), True),
        (f"{VDELIVER} me@far.test", PlannedCatchall(targets=("me@far.test",)), False),
        (f"{VDELIVER} {HOME}/domains/site.com/anna", PlannedCatchall(mailbox="anna@site.com"), False),
        (f"{VDELIVER} anna@site.com", PlannedCatchall(mailbox="anna@site.com"), False),
        ("&me@far.test", PlannedCatchall(targets=("me@far.test",)), True),
        ("", PlannedCatchall(), True),
    ],
)
def test_catch_alls(site, text, expected, noted):
    site.account("anna", quota="50M")
    site.qmail("default", text)
    found, said = mapped(site)
    assert found.catchall == expected
    assert (("changed", ".qmail-default") in said) == noted


def test_what_has_no_place_is_said(site):
    site.responder("info", "Subject: Thanks\n\nWe have it.\n")
    site.list("news")
    site.qmail("sales-default", "&a@b.test")
    site.qmail("a!b", "&a@b.test")
    site.limits({"maxaliases": 5, "perm_account": 3})
    found, said = mapped(site)
    assert found.forwards == []
    assert found.limits == {"groups": 5}
    assert {thing: reason for (kind, thing), reason in said.items() if kind == "no place"} == {
        ".qmail-info": "autoresponders",
        ".qmail-news": "mailing lists (ezmlm)",
        ".qmail-news-default": "mailing lists (ezmlm)",
        ".qmail-news-return-default": "mailing lists (ezmlm)",
        ".qmail-sales-default": "wildcards (.qmail-NAME-default)",
        ".qmail-a!b": "forwards whose name cannot be an address here",
        ".qmailadmin-limits": "permissions of a domain's administrator",
    }


def test_limits_become_fields_of_a_plan(site):
    counts = {"maxpopaccounts": 9, "maxaliases": 0, "maxforwards": -1, "maxautoresponders": 3, "maxmailinglists": 4}
    sizes = {"quota": 100, "maxmsgcount": 5000, "default_quota": 50 * MB, "default_maxmsgcount": 700}
    site.limits(counts | sizes, ["disable_pop", "disable_external_relay", "delete_spam"])
    found, said = mapped(site)
    assert found.limits == {
        "mailboxes": 9,
        "groups": 0,
        "autoresponders": 3,
        "lists": 4,
        "domain_quota": 100 * MB,
        "domain_messages": 5000,
        "quota": 50 * MB,
        "messages": 700,
        "pop3": False,
        "relay": False,
        "delete_spam": True,
    }
    assert said["changed", "site.com"] == f"its limits and common switches become plan {plan_name(found.limits)}"
    assert plan_name(dict(reversed(found.limits.items()))) == plan_name(found.limits) != plan_name({"groups": 1})
    site.limits({"quota": 0, "maxmsgcount": -1, "default_quota": 0})
    assert mapped(site)[0].limits == {}


@pytest.mark.parametrize(
    ("bit", "field"),
    [
        (Flags.NO_POP, "pop3"),
        (Flags.NO_IMAP, "imap"),
        (Flags.NO_SMTP, "smtp_auth"),
        (Flags.NO_RELAY, "relay"),
        (Flags.NO_PASSWORD_CHANGE, "password_change"),
        (Flags.NO_WEBMAIL, "webmail"),
        (Flags.NO_DIALUP, "dialup"),
        (Flags.NO_MAILDROP, "maildrop"),
        (Flags.NO_SPAMASSASSIN, "spam_filter"),
    ],
)
def test_bits_that_all_accounts_have_are_switches_of_the_plan(site, bit, field):
    site.account("anna", quota="50M", flags=bit)
    site.account("gone", quota="50M", flags=Flags.NO_POP | Flags.NO_IMAP | Flags.NO_SMTP)  # is disabled
    assert mapped(site)[0].limits == {field: False}
    site.account("jo", quota="50M", flags=Flags.OVERRIDE)
    found, said = mapped(site)
    assert found.limits == {}
    assert (("no place", "anna@site.com") in said) == (field in ("pop3", "imap", "smtp_auth", "relay"))


def call(*words: str) -> Any:
    return CliRunner().invoke(app, ["import", "vpopmail", *words])


def test_the_page(tmp_path):
    host = BuiltHost(tmp_path / "host")
    for n in range(30):
        host.domain(f"d{n:02}.test", hashed="0" if n % 2 else "").account("anna", quota="1000S")
    site = host.domain("site.com")
    host.alias("site.net", site)
    site.list("news")
    BuiltMaildir(tmp_path / "host/domains/d00.test/anna/Maildir").message("1.M1P1.old", b"", directory=".Sent")
    shutil.rmtree(tmp_path / "host/domains/d02.test/anna")
    os.symlink("/etc/passwd", site.folder / ".qmail-passwd")
    done = call(str(tmp_path / "host"), "--dry-run", "--notes", str(tmp_path / "notes"))
    assert done.exit_code == 0 and len(done.stdout.splitlines()) < 60
    assert "31 domains, and 1 alias domains" in done.stdout
    assert "30 a quota below 25 MB becomes 25 MB\n            anna@d00.test, anna@d01.test, …" in done.stdout
    assert "is a symbolic link; links are not followed\n            domains/site.com/.qmail-passwd" in done.stdout
    notes = (tmp_path / "notes").read_text().splitlines()
    assert "unreadable\tdomains/site.com/.qmail-passwd\tis a symbolic link; links are not followed" in notes
    assert len(notes) == 35 + 1
    assert "unreadable\tanna@d02.test's Maildir\tdoes not exist" in notes
    assert "1 messages\n" in done.stdout
    value = json.loads(call(str(tmp_path / "host"), "--dry-run", "--json").stdout)
    assert (value["domains"], value["mailboxes"], value["messages_found"], value["changed"][0]["count"]) == (
        31,
        30,
        1,
        30,
    )


def test_what_is_no_vpopmail_is_one_sentence(tmp_path):
    done = call(str(tmp_path), "--dry-run")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "holds no vpopmail: there is no folder users or var/qmail/users" in done.stderr


def test_notes_are_bounded():
    notes = Notes()
    for n in range(3 * MOST_REASONS):
        for _ in range(2 * EXAMPLES if n == 0 else 1):
            notes.add("no place", f"thing {n}", f"reason {n}")
    groups = dict(notes.groups("no place"))
    assert len(groups) == MOST_REASONS + 1 and notes.count("no place") == 3 * MOST_REASONS - 1 + 2 * EXAMPLES
    assert max(len(group.examples) for group in groups.values()) == EXAMPLES


def test_the_meter_says_how_far_how_fast_and_how_long_still():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    now, terminal = [0.0], Terminal()
    meter = Meter("messages", 1000, to=terminal, clock=lambda: now[0])
    for _ in range(5):
        now[0] += 1
        meter.add(50)
    meter.end()
    assert "[.......#" not in terminal.getvalue()
    assert "[#######.......................] 250 of 1,000 messages, 50/s, 0:15 left" in terminal.getvalue()
    assert Meter("messages", to=terminal, clock=lambda: now[0]).line(6.0) == "0 messages, 0/s"
