"""Annotations (RFC 5464): all or none is set, within limits; they go with the folder; what changed can be found."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from mailkit.errors import BadRequest
from mailkit.ids import new_id
from mailstore_api.wire import (
    LARGEST_ANNOTATION,
    MOST_ANNOTATIONS_A_FOLDER,
    Annotation,
    MetadataChange,
    MetadataQuestion,
    MetadataStateQuestion,
)

from .conftest import Store, message


@dataclass
class Notes:
    """The annotations of one mailbox, behind the endpoints."""

    store: Store
    mailbox_id: UUID

    async def put(self, values: dict[str, bytes | None], name: str = "INBOX", operation_id: UUID | None = None) -> str:
        items = [Annotation(entry, value) for entry, value in values.items()]
        return await self.store.front.change_metadata(
            MetadataChange(self.mailbox_id, name, items, operation_id or new_id())
        )

    async def all(self, name: str = "INBOX", **more: Any) -> dict[str, bytes | None]:
        question = MetadataQuestion(self.mailbox_id, name, ["/private", "/shared"], -1, **more)
        return {item.entry: item.value for item in (await self.store.front.metadata(question)).items}

    async def state(self, known: int = -1) -> tuple[int, set[tuple[int, str, int]]]:
        found = await self.store.front.metadata_state(MetadataStateQuestion(self.mailbox_id, known))
        return found.metadata_version, {(each.folder_id, each.entry, each.set_at) for each in found.items}


@pytest.fixture
def notes(store: Store, mailbox_id: UUID) -> Notes:
    return Notes(store, mailbox_id)


async def test_values_are_any_octets_and_an_operation_is_carried_out_once(notes):
    assert await notes.all() == {}
    once = new_id()
    assert await notes.put({"/private/a": b"\0\xff\r\n", "/shared/b": b""}, operation_id=once) == "ok"
    assert await notes.put({"/private/a": None}) == "ok"
    assert await notes.put({"/private/a": b"\0\xff\r\n"}, operation_id=once) == "ok"  # a repeated call
    assert await notes.all() == {"/shared/b": b""}
    assert await notes.put({"/private/a": b"x"}, "Nowhere") == "nonexistent"
    assert await notes.put({"/private/gone": None}) == "ok"


async def test_limits_refuse_all_of_a_command(notes):
    assert await notes.put({f"/private/{n}": b"x" for n in range(MOST_ANNOTATIONS_A_FOLDER)}) == "ok"
    assert await notes.put({"/private/0": b"new", "/private/more": b"x"}) == "toomany"
    assert (await notes.all())["/private/0"] == b"x"
    assert await notes.put({"/private/0": None, "/private/more": b"x"}) == "ok"
    assert await notes.put({"/private/1": b"new"}) == "ok"  # not one more
    with pytest.raises(BadRequest):
        await notes.put({"/private/1": b"x" * (LARGEST_ANNOTATION + 1)})
    full = {f"/private/{n}": b"x" * LARGEST_ANNOTATION for n in range(63)}
    assert await notes.put(full, "Sent") == "ok"
    assert await notes.put({"/private/one": b"x" * LARGEST_ANNOTATION}, "Trash") == "toomany"
    assert await notes.put({"/private/one": None}, "Trash") == "ok"
    assert await notes.store.change("rename", notes.mailbox_id, "Sent", "Sent items") == "ok"
    assert len(await notes.all("Sent items")) == 63
    assert await notes.put(full, "INBOX") == "toomany"
    assert await notes.put(full, "") == "toomany"


async def test_annotations_go_with_their_folder(notes):
    store, mailbox_id = notes.store, notes.mailbox_id
    await store.deliver(mailbox_id, message())
    await store.change("create", mailbox_id, "a/b")
    await notes.put({"/private/comment": b"inbox"})
    await notes.put({"/private/comment": b"child"}, "a/b")
    assert await store.change("rename", mailbox_id, "a", "c") == "ok"
    assert await notes.all("c/b") == {"/private/comment": b"child"}
    assert await store.change("rename", mailbox_id, "INBOX", "old") == "ok"  # INBOX keeps them (RFC 5464 4.1)
    assert await notes.all("old") == await notes.all() == {"/private/comment": b"inbox"}
    assert await store.change("delete", mailbox_id, "c/b") == "ok"
    assert await store.change("create", mailbox_id, "c/b") == "ok"
    assert await notes.all("c/b") == {}
    assert await store.pool.fetchval("select count(*) from mailstore.annotation") == 2
    await store.parts.purger.purge(mailbox_id)
    assert await store.pool.fetchval("select count(*) from mailstore.annotation") == 0


async def test_what_changed_is_found_by_version(notes):
    start, _ = await notes.state()
    await notes.put({"/private/a": b"1", "/private/b": b"1"})
    version, entries = await notes.state(start)
    assert entries == {(1, "/private/a", version), (1, "/private/b", version)}
    assert await notes.state(version) == (version, set())
    await notes.put({"/private/a": None, "/private/b": b"2"})
    assert await notes.state(version) == (version + 1, {(1, "/private/b", version + 1)})


async def test_the_renaming_of_inbox_refuses_too_many(notes, monkeypatch):
    monkeypatch.setattr("mailstore.writing.folder_tree.MOST_ANNOTATIONS", 3)
    await notes.put({"/private/a": b"1", "/private/b": b"1"})
    assert await notes.store.change("rename", notes.mailbox_id, "INBOX", "old") == "limit"
    assert "old" not in await notes.store.folders(notes.mailbox_id)
