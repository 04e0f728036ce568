"""Hostile trees: nothing outside the folder is read, what is damaged is told and skipped, memory is bounded."""

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vpopmail.domain
from vpopmail.cdb import records
from vpopmail.dotqmail import parse
from vpopmail.host import VpopmailHost
from vpopmail.testing import HOME, MD5, BuiltHost
from vpopmail.tree import TreeFolder, Unreadable, shown


def read(root: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Everything that can be read: what is in each domain, and the reasons."""
    said: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    with VpopmailHost(str(root), lambda path, reason: said.setdefault(shown(path), reason)) as host:
        for domain in host.domains():
            found[domain.name] = here = [each.local for each in domain.addresses()]
            domain.catchall(), domain.limits()
            for account in domain.accounts():
                here.append(account.name)
                try:
                    domain.home(account).close()
                    domain.own_dotqmail(account)
                except Unreadable as error:
                    said[account.name] = str(error)
    return found, said


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "vpasswd").write_text(f"stolen:{MD5}:0:0:x:{HOME}/domains/site.com/stolen:NOQUOTA\n")
    (folder / "message").write_text("Subject: stolen\n\n")
    return folder


def test_links_are_not_followed(tmp_path, secret):
    root = tmp_path / "host"
    host = BuiltHost(root)
    linked = host.domain("linked.com").folder
    for each in linked.iterdir():
        each.unlink()
    linked.rmdir()
    linked.symlink_to(secret)
    site = host.domain("site.com")
    (site.folder / "vpasswd").symlink_to(secret / "vpasswd")
    (site.folder / ".qmail-a").symlink_to(secret / "message")
    (site.folder / ".qmailadmin-limits").symlink_to(secret / "message")
    good = host.domain("good.com")
    good.account("anna")
    (good.folder / "jo").symlink_to(secret)
    good.line(f"jo:{MD5}:0:0:x:{good.directory}/jo:NOQUOTA".encode())
    found, said = read(root)
    assert found == {"site.com": [], "good.com": ["anna", "jo"]}
    assert {path for path, reason in said.items() if "link" in reason} == {
        *("linked.com", "domains/site.com/vpasswd", "domains/site.com/.qmail-a"),
        *("domains/site.com/.qmailadmin-limits", "jo"),
    }


@pytest.mark.parametrize(
    "path", ["../../outside", f"{HOME}/domains/../../outside", "/outside", f"{HOME}/domains", "domains/..", ""]
)
def test_no_path_leads_out(tmp_path, secret, path):
    root = tmp_path / "host"
    host = BuiltHost(root)
    host.assign("bad.com", "bad.com", path)
    site = host.domain("site.com")
    site.line(f"anna:{MD5}:0:0:x:{path}:NOQUOTA".encode())
    site.line(f"jo:{MD5}:0:0:x:{site.directory}/../../../outside:NOQUOTA".encode())
    found, said = read(root)
    assert found == {"site.com": ["anna", "jo"]}
    assert {"bad.com", "anna", "jo"} <= set(said)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\0b"])
def test_a_folder_opens_single_names_only(tmp_path, name):
    with TreeFolder.root(str(tmp_path)) as folder:
        for opening in (lambda: folder.folder(name), lambda: folder.read(name, 1)):
            with pytest.raises(Unreadable):
                opening()


def test_pipes_devices_and_folders_are_no_files(tmp_path):
    site = BuiltHost(tmp_path).domain("site.com")
    os.mkfifo(site.folder / ".qmail-pipe")
    os.mkfifo(site.folder / "vpasswd")
    (site.folder / ".qmail-folder").mkdir()
    found, said = read(tmp_path)
    assert found == {"site.com": []}
    assert [said[f"domains/site.com/{name}"] for name in (".qmail-pipe", "vpasswd", ".qmail-folder")] == [
        "is no regular file"
    ] * 3


def test_broken_utf_8_is_told_and_skipped(tmp_path):
    host = BuiltHost(tmp_path)
    site = host.domain("site.com")
    site.account("anna")
    site.line(b"j\xf6rg:" + MD5.encode() + b":0:0:x:/x:NOQUOTA")
    site.line(b"jo:" + MD5.encode() + f":0:0:J\xf6rg:{site.directory}/jo:NOQUOTA".encode("latin-1"))
    site.qmail("latin", b"&j\xf6rg@x.test\n")
    Path(os.fsdecode(os.fsencode(site.folder) + b"/.qmail-j\xf6rg")).write_text("&a@b.test")
    with (host.users / "assign").open("ab") as file:
        file.write(b"+b\xf6se.com-:b\xf6se.com:89:89:/x:-::\n")
    found, said = read(tmp_path)
    assert found == {"site.com": ["anna", "jo"]}
    assert said["domains/site.com/vpasswd:2"] == said["domains/site.com/.qmail-latin"] == "is not UTF-8"
    assert said["domains/site.com/.qmail-j\\xf6rg"] == "has a name that is not UTF-8"


def test_cut_files_are_told(tmp_path):
    host = BuiltHost(tmp_path)
    site = host.domain("site.com")
    for n in range(50):
        site.account(f"u{n:02}")
    cdb = site.folder / "vpasswd.cdb"
    whole = cdb.read_bytes()
    (site.folder / "vpasswd").write_text((site.folder / "vpasswd").read_text()[:-40])
    found, said = read(tmp_path)
    assert len(found["site.com"]) == 50, "the last one is in vpasswd.cdb"
    assert said == {"domains/site.com/vpasswd:50": "is cut: an account has 7 fields"}
    (site.folder / "vpasswd").unlink()
    for size in (0, 100, 2047, 2048, 3000, len(whole) - 1):
        cdb.write_bytes(whole[:size])
        found, said = read(tmp_path)
        assert len(found["site.com"]) in (0, 50)
        assert bool(said) == (not found["site.com"])
    (host.users / "assign").write_text((host.users / "assign").read_text()[:-2])
    assert "is cut: it does not end with a line that is a dot; the lines before were read" in read(tmp_path)[1].values()


def test_huge_lines_and_files_take_no_memory(tmp_path):
    site = BuiltHost(tmp_path).domain("site.com")
    site.account("anna")
    with (site.folder / "vpasswd").open("r+b") as file:
        file.truncate(300 << 20)  # a line of NULs
        file.seek(0, os.SEEK_END)
        file.write(f"\njo:{MD5}:0:0:x:{site.directory}/jo:NOQUOTA\n".encode())
    with site.qmail("huge", "").open("r+b") as file:
        file.truncate(1 << 30)
    tracemalloc.start()
    found, said = read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == {"site.com": ["anna", "jo"]}
    assert said["domains/site.com/vpasswd:2"] == "is too long a line"
    assert "1,073,741,824 octets" in said["domains/site.com/.qmail-huge"]
    assert peak < 8 << 20


def test_the_files_of_a_domain_are_bounded(tmp_path, monkeypatch):
    site = BuiltHost(tmp_path).domain("site.com")
    for n in range(60):
        site.qmail(f"n{n}", "&a@b.test")
    monkeypatch.setattr(vpopmail.domain, "MOST_FILES", 50)
    found, said = read(tmp_path)
    assert len(found["site.com"]) == 50
    assert "more than 50 .qmail files" in said["domains/site.com"]


@given(st.binary(max_size=300))
def test_fuzz_any_octets_are_a_qmail_file_or_refused(data):
    try:
        parse(data)
    except ValueError:  # UnicodeDecodeError is one
        pass


@given(st.binary(max_size=200), st.integers(0, 400))
def test_fuzz_any_octets_are_a_cdb_or_refused(tmp_path_factory, data, end):
    path = tmp_path_factory.mktemp("cdb")
    (path / "x.cdb").write_bytes((2048 + end).to_bytes(4, "little") + b"\0\0\0\0" * 511 + data)
    with TreeFolder.root(str(path)) as folder:
        try:
            for key, value in records(folder, "x.cdb"):
                assert len(key) + len(value) <= len(data)
        except Unreadable:
            pass


def test_a_path_is_printed_in_one_line():
    assert shown("a\nb\x1b[2J\udcf6ü") == "a\\nb\\x1b[2J\\xf6ü"
