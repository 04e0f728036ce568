"""What is read of a host that is laid out as vpopmail does."""

import shutil
import subprocess

import pytest

from vpopmail.cdb import records
from vpopmail.dotqmail import DeliverTo, DotQmail, ForwardLine, ProgramLine, UnknownLine, Vdelivermail, parse
from vpopmail.host import VpopmailHost
from vpopmail.limits import flags_in_force
from vpopmail.responder import read_responder
from vpopmail.testing import HOME, MD5, BuiltHost
from vpopmail.tree import TreeFolder, Unreadable
from vpopmail.vpasswd import Flags, parse_quota


def never(path, reason):
    raise AssertionError(f"{path} {reason}")


@pytest.mark.parametrize("copied_root", [False, True])
@pytest.mark.parametrize("source", ["text", "cdb"])
def test_domains_and_accounts(tmp_path, copied_root, source):
    host = BuiltHost(tmp_path, copied_root=copied_root)
    site = host.domain("site.com")
    host.alias("site.net", site)
    host.domain("other.org", hashed="3").account("anna", quota="10485760S,1000C", hashed="A")
    site.account("postmaster", flags=Flags.DOMAIN_ADMIN, comment="The post office")
    site.account("jo.doe", "", flags=Flags.NO_POP | Flags.BOUNCE_MAIL, quota="1000S")
    if source == "cdb":
        (host.users / "assign").unlink()
        for each in tmp_path.rglob("vpasswd"):
            each.unlink()
    found = {}
    with VpopmailHost(str(tmp_path), never) as opened:
        for domain in opened.domains():
            found[domain.name] = domain.aliases, list(domain.accounts())
            for account in found[domain.name][1]:
                with domain.home(account) as home:
                    assert home.folder("Maildir", "cur").path.endswith(f"{account.name}/Maildir/cur")
    assert list(found) == ["other.org", "site.com"]
    assert found["site.com"][0] == ("site.net",)
    (anna,) = found["other.org"][1]
    assert (anna.name, anna.hash, anna.quota, anna.messages) == ("anna", MD5, 10485760, 1000)
    post, jo = found["site.com"][1]
    assert (post.name, post.flags, post.quota) == ("postmaster", Flags.DOMAIN_ADMIN, None)
    assert (jo.hash, jo.flags, jo.quota) == ("", Flags.NO_POP | Flags.BOUNCE_MAIL, 1000)


def test_the_password_in_clear_is_not_read(tmp_path):
    site = BuiltHost(tmp_path).domain("site.com")
    site.line(f"anna:{MD5}:0:0:anna:{site.directory}/anna:5S:secret".encode())
    with VpopmailHost(str(tmp_path), never) as opened:
        ((anna,),) = [list(domain.accounts()) for domain in opened.domains()]
    assert (anna.quota, "secret" in repr(anna)) == (5, False)


@pytest.mark.skipif(not shutil.which("cdb"), reason="Debian's tinycdb is not here")
def test_the_builder_writes_what_tinycdb_reads_and_the_reader_reads_what_tinycdb_writes(tmp_path):
    site = BuiltHost(tmp_path).domain("site.com")
    site.account("anna")
    said = subprocess.run(["cdb", "-q", site.folder / "vpasswd.cdb", "anna"], capture_output=True, check=True)
    assert said.stdout.startswith(MD5.encode())
    lines = "".join(f"+{len(str(n))},5:{n}->value\n" for n in range(3000))
    subprocess.run(["cdb", "-c", tmp_path / "made.cdb"], input=f"{lines}\n".encode(), check=True)
    with TreeFolder.root(str(tmp_path)) as folder:
        assert list(records(folder, "made.cdb")) == [(b"%d" % n, b"value") for n in range(3000)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NOQUOTA", (None, None)),
        ("", (None, None)),
        ("1000S", (1000, None)),
        ("4C", (None, 4)),
        ("10485760S,1000C", (10485760, 1000)),
        ("50M", (50 << 20, None)),
        ("50MB", (50 << 20, None)),
        ("1G", (1 << 30, None)),
        ("0S", (None, None)),
        ("lots", None),
        ("1S,", None),
        ("9" * 30, None),
    ],
)
def test_quotas(text, expected):
    assert parse_quota(text) == expected


VDELIVER = f"| {HOME}/bin/vdelivermail ''"
SITE = f"{HOME}/domains/site.com"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("&a@b.test\nc@d.test\n", [ForwardLine("a@b.test"), ForwardLine("c@d.test")]),
        ("&root", [ForwardLine("root")]),
        (f"{SITE}/anna/Maildir/\n", [DeliverTo(f"{SITE}/anna/Maildir/", "site.com", "anna")]),
        ("./anna/Maildir/\n", [DeliverTo("./anna/Maildir/", None, "anna")]),
        (f"{HOME}/domains/0/b.org/3/jo/Maildir/", [DeliverTo(f"{HOME}/domains/0/b.org/3/jo/Maildir/", "b.org", "jo")]),
        (f"{VDELIVER} bounce-no-mailbox\n", [Vdelivermail("bounce")]),
        (f"{VDELIVER} delete\n", [Vdelivermail("delete")]),
        (f"{VDELIVER} me@far.test\n", [Vdelivermail(ForwardLine("me@far.test"))]),
        (f"{VDELIVER} {SITE}/anna\n", [Vdelivermail(DeliverTo(f"{SITE}/anna", "site.com", "anna"))]),
        ("# nothing\n", []),
        ("\n", []),
        ("./Mailbox\n", [UnknownLine("./Mailbox", "is a file in mbox format")]),
        ("two words@x\n", [UnknownLine("two words@x", "is no address")]),
        ("../../etc/Maildir/\n", [DeliverTo("../../etc/Maildir/", None, None)]),
    ],
)
def test_lines_of_a_qmail_file(text, expected):
    assert parse(text.encode()) == DotQmail(tuple(expected))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("|/usr/bin/ezmlm/ezmlm-send '/x'", "ezmlm"),
        ("| /usr/bin/maildrop /etc/mailfilter", "maildrop"),
        ("|preline -f /usr/bin/maildrop", "maildrop"),
        ("| /usr/bin/autorespond 86400 3 /x/message /x", "autorespond"),
        ("|/home/me/script 'unclosed", "other"),
        (f"{VDELIVER}", "other"),
        ("|rm -rf /", "other"),
    ],
)
def test_programs_are_recognised(line, kind):
    (program,) = parse(line.encode()).instructions
    assert isinstance(program, ProgramLine) and (program.kind, program.line) == (kind, line)


def test_an_empty_file_is_not_a_comment(tmp_path):
    assert parse(b"").is_empty and not parse(b"#\n").is_empty


def test_qmail_files_of_a_domain(tmp_path):
    site = BuiltHost(tmp_path).domain("site.com")
    site.qmail("jo.doe", "&a@b.test")
    site.qmail("sales-default", f"{VDELIVER} delete")
    site.qmail("Dead", "&a@b.test")
    site.responder("info", "From: info@site.com\nSubject: Thanks\n\nWe have it.\n")
    site.list("news")
    site.account("anna").joinpath(".qmail").write_text("&far@away.test\n")
    said = []
    with VpopmailHost(str(tmp_path), lambda *each: said.append(each)) as opened:
        for domain in opened.domains():
            found = {(each.local, each.is_prefix): each.dotqmail for each in domain.addresses()}
            assert domain.catchall() == DotQmail((Vdelivermail("bounce"),))
            answer = read_responder(found["info", False].instructions[0], domain.folder)
            (anna,) = domain.accounts()
            assert domain.own_dotqmail(anna) == DotQmail((ForwardLine("far@away.test"),))
    assert set(found) == {
        *(("jo.doe", False), ("sales-", True), ("info", False)),
        *(("news", False), ("news-", True), ("news-return-", True)),
    }
    assert (answer.seconds, answer.most, answer.message[:5]) == (10000, 5, b"From:")
    assert said == [("domains/site.com/.qmail-Dead", "has capitals in its name, so qmail never read it")]


def test_limits(tmp_path):
    host = BuiltHost(tmp_path)
    site = host.domain("site.com")
    site.limits(
        {"maxpopaccounts": 10, "maxaliases": -1, "quota": 500, "perm_quota": 0o231}, ["disable_imap", "disable_smtp"]
    )
    (host.home / "etc" / "vlimits.default").write_text("# of all\nmaxforwards 3\ndefault_quota:\t5\n")
    with VpopmailHost(str(tmp_path), never) as opened:
        (limits,) = [domain.limits() for domain in opened.domains()]
        assert opened.default_limits() == {"maxforwards": 3, "default_quota": 5}
    assert limits == {
        "maxpopaccounts": 10,
        "maxaliases": -1,
        "quota": 500,
        "perm_quota": 1,
        "disable_imap": 1,
        "disable_smtp": 1,
    }
    assert flags_in_force(Flags.NO_POP, limits) == Flags.NO_POP | Flags.NO_IMAP | Flags.NO_SMTP
    assert flags_in_force(Flags.NO_POP | Flags.OVERRIDE, limits) == Flags.NO_POP | Flags.OVERRIDE


def test_a_folder_without_vpopmail_is_refused(tmp_path):
    with pytest.raises(Unreadable, match="no vpopmail"):
        VpopmailHost(str(tmp_path), never)
    with pytest.raises(Unreadable, match="does not exist"):
        VpopmailHost(str(tmp_path / "nowhere"), never)
