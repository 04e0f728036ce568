"""LIST with its extensions (RFC 5258, 5819, 6154), LSUB and STATUS."""

from typing import Any

import pytest

from .conftest import Client, Imap


@pytest.fixture
async def client(imap: Imap) -> Client:
    await imap.store.deliver(imap.mailbox_id, b"Subject: a\r\n\r\nb\r\n", b"Subject: c\r\n\r\nd\r\n")
    made = await imap.log_in()
    for name in ("Work", "Work/2025", "Work/2026", "Lost"):
        await made.ok(f"CREATE {name}")
    await made.ok("SUBSCRIBE Work/2026")
    await made.ok("SUBSCRIBE Lost")
    await made.ok("DELETE Lost")
    return made


async def names(client: Client, command: str) -> list[str]:
    return sorted(line.split(b' "/" ')[1].decode() for line in await client.ok(command))


async def test_the_commands_of_the_extensions(client: Client) -> None:
    special = await client.ok('LIST (SPECIAL-USE) "" "*"')
    assert sorted(line.split(b'"/" ')[1] for line in special) == [b"Drafts", b"Junk", b"Sent", b"Trash"]
    assert any(b"\\Drafts" in line for line in special)
    lines = await client.ok('LIST "" ("INBOX" "*") RETURN (SPECIAL-USE SUBSCRIBED CHILDREN STATUS (MESSAGES UNSEEN))')
    assert b"* STATUS INBOX (MESSAGES 2 UNSEEN 2)" in lines
    assert len([line for line in lines if line.startswith(b"* LIST")]) == 8
    assert len([line for line in lines if line.startswith(b"* STATUS")]) == 8
    assert any(b"\\HasChildren" in line and line.endswith(b" Work") for line in lines)
    assert any(b"\\Subscribed" in line and line.endswith(b"Work/2026") for line in lines)


async def test_one_question_whatever_the_folders(imap: Imap, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = imap.store.front.send

    async def send(method: str, path: str, *arguments: Any, **more: Any) -> bytes:
        asked.append(path)
        return await real(method, path, *arguments, **more)

    monkeypatch.setattr(imap.store.front, "send", send)
    await client.ok('LIST "" "*" RETURN (STATUS (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN))')
    assert asked == ["/v1/folders/list"]


async def test_subscribed(client: Client) -> None:
    lines = await client.ok('LIST (SUBSCRIBED) "" "*"')
    assert all(b"\\Subscribed" in line for line in lines)
    assert next(line for line in lines if line.endswith(b" Lost")).count(b"\\NonExistent") == 1
    assert await names(client, 'LIST (SUBSCRIBED) "" "W*"') == ["Work/2026"]
    above = await client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"')
    assert [line for line in above if b"CHILDINFO" in line] == [
        b'* LIST (\\HasChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))'
    ]
    assert await client.last('LIST (RECURSIVEMATCH) "" "*"') == "BAD RECURSIVEMATCH needs another selection option"
    assert (await client.last('LIST (FROB) "" "*"')).startswith("BAD")
    assert (await client.last('LIST "" "*" RETURN (FROB)')).startswith("BAD")


async def test_basic_list_is_as_before(client: Client) -> None:
    assert await client.ok('LIST "" ""') == [b'* LIST (\\Noselect) "/" ""']
    assert await names(client, 'LIST "" %') == ["Drafts", "INBOX", "Junk", "Sent", "Trash", "Work"]
    assert await names(client, 'LIST Work/ "*"') == ["Work/2025", "Work/2026"]
    assert await client.ok('LIST () "" ""') == []
    assert await client.ok('LIST "" ()') == []


async def test_lsub(client: Client) -> None:
    assert b'* LSUB (\\Noselect) "/" Work' in await client.ok('LSUB "" "%"')
    assert await names(client, 'LSUB "" "W*"') == ["Work/2026"]
    assert "Lost" in await names(client, 'LSUB "" "*"')


async def test_patterns_and_their_number_are_bounded(client: Client) -> None:
    await client.ok(b"CREATE " + b"e" * 200)
    await client.ok(b"SUBSCRIBE " + b"e" * 200)
    assert await client.ok('LSUB "" "*e*e*e*e*e*x"') == []
    assert (await client.last(f'LIST "" "{"*e" * 51}"')).startswith("NO [LIMIT]")
    assert (await client.last(f'LIST "" ({" ".join(["a"] * 21)})')).startswith("NO [LIMIT]")
