"""Maildir++: folders, flags, dates, subscriptions; UIDs of Courier and Dovecot; UIDLs of both and of qmail-pop3d."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpopmail.folder_names import decoded, directory_of, levels_of
from vpopmail.maildir import date_of, folders, keywords, subscriptions, table_and_messages
from vpopmail.testing import BuiltMaildir
from vpopmail.tree import TreeFolder, Unreadable
from vpopmail.uidls import check_format, uidls

A, B, C = "1300000001.M1P1.old,S=10", "1300000002.M2P1.old,S=20", "1300000003.M3P1.old,S=30"


def never(path, reason):
    raise AssertionError(f"{path} {reason}")


@pytest.fixture
def built(tmp_path):
    return BuiltMaildir(tmp_path / "Maildir")


@pytest.fixture
def maildir(built):
    with TreeFolder.root(str(built.path)) as folder:
        yield folder


def test_folders(built, maildir):
    for name in (".Sent", ".Work.2009", ".Entw&APw-rfe", ".Küche", ".R&D", ".&-"):
        built.folder(name)
    (built.path / ".file").touch()
    assert [each.levels for each in folders(maildir, never)] == [
        (),
        ("&",),
        ("Entwürfe",),
        ("Küche",),
        ("R&D",),
        ("Sent",),
        ("Work", "2009"),
    ]


@pytest.mark.parametrize("name", [".a..b", "..a", ".a.", ".\udcf6"])
def test_names_with_empty_levels_or_not_utf_8(name):
    assert levels_of(name) is None


@given(st.text(max_size=40))
def test_fuzz_any_name_is_decoded(text):
    decoded(text)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=4))
def test_fuzz_a_directory_has_the_levels_that_it_was_made_for(levels):
    made = directory_of(levels)
    assert made.isascii() and "/" not in made and levels_of(made) == levels


def test_messages_with_flags_dates_and_keywords(built, maildir):
    built.message(B, b"two", "FS")
    built.message(A, b"one", "PRTDa", mtime=1.2e9)
    built.message(C, b"three")
    (built.path / "dovecot-keywords").write_text("0 $Junk\n1 \n99 x\n")
    built.courier(1234, {A: 7, B: 3})
    table, found = table_and_messages(maildir, never)
    assert (table.uidvalidity, table.uidnext) == (1234, 8)
    assert [(each.uid, each.base, each.place) for each in found] == [(3, B, "cur"), (7, A, "cur"), (0, C, "new")]
    names = keywords(maildir, never)
    assert [set(each.flags(names)) for each in found] == [
        {"\\Flagged", "\\Seen"},
        {"$Forwarded", "\\Answered", "\\Deleted", "\\Draft", "$Junk"},
        set(),
    ]
    assert date_of(found[1], 1.2e9, 2e9) == 1.2e9
    assert date_of(found[1], 3e9, 2e9) == 1300000001.0
    assert date_of(found[1], 3e9, 1e9) == 1e9


def test_dovecots_table(built, maildir):
    built.message(A, b"")
    built.dovecot(99, {A: 12, B: 13}, uidls={A: "old-id"})
    table, (message,) = table_and_messages(maildir, never)
    assert (table.uidvalidity, table.uidnext, message.uid, table.uidls) == (99, 14, 12, {A: "old-id"})
    (built.path / "dovecot-uidlist").write_text(f"1 99 14\n12 {A}\n")
    assert table_and_messages(maildir, never)[1][0].uid == 12


@pytest.mark.parametrize(("newer", "expected"), [("courierimapuiddb", 1), ("dovecot-uidlist", 2)])
def test_of_two_tables_the_newer_one_holds(built, maildir, newer, expected):
    built.courier(1, {A: 1})
    built.dovecot(2, {A: 2})
    for name in ("courierimapuiddb", "dovecot-uidlist"):
        os.utime(built.path / name, (2e9, 2e9) if name == newer else (1e9, 1e9))
    assert table_and_messages(maildir, never)[0].uidvalidity == expected


def test_a_table_without_a_header_is_told_and_the_other_one_is_read(built, maildir):
    built.courier(1, {A: 1})
    (built.path / "dovecot-uidlist").write_bytes(b"garbage\n\xff\n")
    os.utime(built.path / "courierimapuiddb", (1e9, 1e9))
    said = []
    assert table_and_messages(maildir, lambda *each: said.append(each))[0].uidvalidity == 1
    assert [path for path, _ in said] == ["dovecot-uidlist"]


def test_qmail_pop3d_sends_the_files_name(built, maildir):
    built.courier(1, {A: 1})
    built.message(A, b"", "S")
    table, _ = table_and_messages(maildir, never)
    uidl = uidls(maildir, table, never)
    assert (uidl(A), uidl("b\udcf6se"), uidl("x" * 251), uidl("a b")) == (A, "", "", "")


def test_courier_sends_uid_and_uidvalidity(built, maildir):
    built.dovecot(1, {A: 1})
    built.courier_pop3({f"{A}:2,S": "7:1300000000", B: "8:0"})
    table, _ = table_and_messages(maildir, never)
    uidl = uidls(maildir, table, never)
    assert [uidl(base) for base in (A, B, C)] == ["UID7-1300000000", "UID8", ""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%08Xu%08Xv", "0000000c4d7c6d00"),
        ("%v.%u", "1300000000.12"),
        ("%Xv-%Xu", "4d7c6d00-c"),
        ("%f", A),
        ("%g", "1300000001.M1P1.old"),
        ("%u%%", "12%"),
    ],
)
def test_dovecot_sends_what_its_format_says(built, maildir, text, expected):
    assert check_format(text)
    built.dovecot(1300000000, {A: 12, B: 13}, uidls={B: "kept"})
    table, _ = table_and_messages(maildir, never)
    uidl = uidls(maildir, table, never, text)
    assert (uidl(A), uidl(B), uidl(C)) == (expected, "kept", "")


def test_formats_that_cannot_be_known():
    assert not check_format("%m") and not check_format("%")


def test_no_uidl_is_given_twice(built, maildir):
    built.dovecot(1, {A: 1, B: 2}, uidls={A: "same", B: "same"})
    table, _ = table_and_messages(maildir, never)
    uidl = uidls(maildir, table, never)
    assert (uidl(A), uidl(B)) == ("same", "")


def test_subscriptions(built, maildir):
    (built.path / "courierimapsubscribed").write_text("INBOX\nINBOX.Sent\nINBOX.Work.2009\n")
    (built.path / "subscriptions").write_bytes(b"V\t2\n\nSent\nWork\t2010\nEntw&APw-rfe\n\xff\n")
    assert subscriptions(maildir, never) == [("Sent",), ("Work", "2009"), ("Work", "2010"), ("Entwürfe",)]
    (built.path / "courierimapsubscribed").unlink()
    (built.path / "subscriptions").write_text("Trash\nA.B\n")
    assert subscriptions(maildir, never) == [("Trash",), ("A", "B")]


def test_hostile_maildirs(built, maildir, tmp_path):
    (tmp_path / "outside").write_text("secret")
    (built.path / "cur" / "link:2,S").symlink_to(tmp_path / "outside")
    (built.path / ".Linked").symlink_to(tmp_path)
    os.mkfifo(built.path / "new" / "pipe")
    built.message(A, b"", "S")
    built.message(A, b"", "")
    (built.path / "new" / ".nfs0001").touch()
    (built.path / "courierimapuiddb").write_text(f"1 5 9\nx y\n4294967295 z\n3 {A}\n4")
    said = {}
    table, found = table_and_messages(maildir, lambda path, reason: said.setdefault(path, reason))
    assert [(each.base, each.uid) for each in found] == [(A, 3)]
    assert set(said) >= {"cur/link:2,S", "new/pipe", "new/.nfs0001", "courierimapuiddb:2", "courierimapuiddb:3"}
    assert [each.levels for each in folders(maildir, never)] == [()]
    with maildir.folder("cur") as cur, pytest.raises(Unreadable, match="link"):
        cur.read("link:2,S", 100)
