"""The check of what mailstore holds: rows, bodies and counters compared, and repaired where that is possible (docs/decisions/0121).

A call does a bounded part and says where the next one goes on. Comparing takes no locks: each statement sees one moment, in which counters
and rows agree. A repair locks one mailbox, compares again and writes what it found then.
"""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from bodystore import BodyStore
from mailkit.errors import BadRequest
from mailkit.process.clock import Clock
from mailstore.mime import render
from mailstore.storage.check import CheckedMailbox, CheckRows
from mailstore.storage.messages import References
from mailstore.storage.new_messages import new_message

#: Seconds after which a call ends; the messages and bodies that it reads at once; most findings of a call.
TURN = 2.0
PAGE = 500
MOST_FINDINGS = 1000
#: Bodies younger than this may be on their way into a mailbox.
YOUNG = timedelta(days=2)

_COUNTERS = ("messages", "unseen", "octets", "recent")


@dataclass
class Checks:
    """What one call found, and where the next one goes on; None after the last one."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    mailboxes: int = 0
    messages: int = 0
    bodies: int = 0
    messages_about: int = 0
    following: str | None = None

    def add(self, kind: str, detail: str, *, fixed: bool, mailbox_id: UUID | None = None, folder: str = "") -> None:
        """Add a finding."""
        self.findings.append(
            {"kind": kind, "mailbox_id": mailbox_id, "folder": folder, "detail": detail, "fixed": fixed}
        )


class Checker:
    """Comparison of rows, bodies and counters."""

    def __init__(self, rows: CheckRows, references: References, bodies: BodyStore, clock: Clock) -> None:
        self._rows = rows
        self._references = references
        self._bodies = bodies
        self._clock = clock

    async def check(self, after: str, *, fix: bool, only: UUID | None = None) -> Checks:
        """Check a part, from `following` of the call before on, of all mailboxes or `only` one. Raises BadRequest."""
        found, ends = Checks(messages_about=await self._rows.messages_about()), time.monotonic() + TURN
        stage, mailbox_id, folder_id, uid = _place(after, only)
        while stage == "mailbox":
            current = await self._rows.next(mailbox_id)
            if current is None or (only is not None and current != only):
                stage, mailbox_id = "body", UUID(int=0)
                break
            if current != mailbox_id:
                folder_id = uid = 0
            if not folder_id:
                await self._compare(current, found, fix)
                found.mailboxes += 1
            last = await self._messages(current, folder_id, uid, found, fix)
            mailbox_id, (folder_id, uid) = (current, last) if last else (UUID(int=current.int + 1), (0, 0))
            if time.monotonic() > ends or len(found.findings) >= MOST_FINDINGS:
                found.following = f"mailbox:{mailbox_id}:{folder_id}:{uid}"
                return found
        if only is not None:
            return found
        while stage == "body":
            following = await self._unreferenced(mailbox_id, found, fix)
            if following is None:
                return found
            mailbox_id = following
            if time.monotonic() > ends or len(found.findings) >= MOST_FINDINGS:
                found.following = f"body:{mailbox_id}:0:0"
                return found
        return found

    async def _compare(self, mailbox_id: UUID, found: Checks, fix: bool) -> None:
        """Compare the counters of a mailbox and of its folders, and rows that belong together."""
        seen = Checks()
        await self._counters(self._rows.of(mailbox_id), mailbox_id, seen, fix=False)
        if seen.findings and fix:
            seen = Checks()
            async with self._rows.repair(mailbox_id) as checked:
                await self._counters(checked, mailbox_id, seen, fix=True)
        found.findings += seen.findings

    async def _counters(self, checked: CheckedMailbox, mailbox_id: UUID, found: Checks, *, fix: bool) -> None:
        for lost in await checked.without_folder():
            name = f"Recovered {lost['folder_id']}"
            found.add(
                "folder", f"{lost['messages']} messages without one", fixed=fix, mailbox_id=mailbox_id, folder=name
            )
            if fix:
                now = self._clock.now()
                await checked.make_folder(lost["folder_id"], name, lost["last_uid"], lost["modseq"], now)
        if stray := await checked.without_message():
            found.add("rendered", f"{len(stray)} rows without a message", fixed=fix, mailbox_id=mailbox_id)
            if fix:
                await checked.drop_rendered([(row["folder_id"], row["uid"]) for row in stray])
        for folder in await checked.folders():
            wrong = [
                f"{name} is {folder[name]}, not {folder[f'{name}_there']}"
                for name in _COUNTERS
                if folder[name] is not None and folder[name] != folder[f"{name}_there"]
            ]
            wrong += [
                f"{name} is {folder[name]}, less than {folder[f'{name}_there']}"
                for name in ("uidnext", "modseq")
                if folder[name] < folder[f"{name}_there"]
            ]
            if wrong:
                detail = "; ".join(wrong)
                found.add("counters", detail, fixed=fix, mailbox_id=mailbox_id, folder=folder["name"])
                if fix:
                    await checked.set_folder(folder)
        for row in await checked.mailbox():
            names = ("usage", "recoverable_messages", "recoverable_octets")
            wrong = [
                f"{name} is {row[name]}, not {row[f'{name}_there']}"
                for name in names
                if row[name] != row[f"{name}_there"]
            ]
            if wrong:
                found.add("quota", "; ".join(wrong), fixed=fix, mailbox_id=mailbox_id)
                if fix:
                    await checked.set_mailbox(row)

    async def _messages(
        self, mailbox_id: UUID, folder_id: int, uid: int, found: Checks, fix: bool
    ) -> tuple[int, int] | None:
        """Compare the next messages with their bodies and rendered rows; return the last one if there may be more."""
        rows = await self._rows.of(mailbox_id).messages(folder_id, uid, PAGE)
        sizes = await self._bodies.sizes([row["body_id"] for row in rows])
        wrong_sizes, unrendered = [], []
        for row in rows:
            where = f"folder {row['folder_id']}, UID {row['uid']}"
            size = sizes.get(row["body_id"])
            if size is None:
                found.add("body", f"{where}: its body {row['body_id']} is gone", fixed=False, mailbox_id=mailbox_id)
                continue
            if row["unrendered"]:
                found.add("rendered", f"{where}: not rendered", fixed=fix, mailbox_id=mailbox_id)
                unrendered.append(row)
            if row["size"] != row["prefix_size"] + size:
                detail = f"{where}: size is {row['size']}, not {row['prefix_size'] + size}"
                found.add("size", detail, fixed=fix, mailbox_id=mailbox_id)
                wrong_sizes.append((row["folder_id"], row["uid"], row["prefix_size"] + size))
        if fix and (unrendered or wrong_sizes):
            await self._repair(mailbox_id, unrendered, wrong_sizes)
        found.messages += len(rows)
        return (rows[-1]["folder_id"], rows[-1]["uid"]) if len(rows) == PAGE else None

    async def _repair(
        self, mailbox_id: UUID, unrendered: list[dict[str, Any]], wrong_sizes: list[tuple[int, int, int]]
    ) -> None:
        now = self._clock.now()
        made = []
        for row in unrendered:
            view = render(await self._bodies.read(row["body_id"]))
            key = mailbox_id, row["folder_id"], row["uid"], row["body_id"]
            made.append(new_message(*key, b"", 0, 0, 0, now, view, now))
        async with self._rows.repair(mailbox_id) as checked:
            await checked.insert_rendered(made)
            for folder_id, uid, size in wrong_sizes:
                await checked.set_size(folder_id, uid, size)
            if wrong_sizes:
                await self._counters(checked, mailbox_id, Checks(), fix=True)

    async def _unreferenced(self, after: UUID, found: Checks, fix: bool) -> UUID | None:
        """Look for bodies that no mailbox refers to, and that the collector does not know; the queue's are told by the collector."""
        ids = await self._bodies.older(after, self._clock.now() - YOUNG, PAGE)
        found.bodies += len(ids)
        alone = set(ids) - await self._references.of(ids) if ids else set()
        alone -= await self._bodies.candidates_of(sorted(alone)) if alone else set()
        if alone:
            found.add("unreferenced", f"{len(alone)} bodies, which the collector is to check", fixed=fix)
            if fix:
                await self._bodies.note(sorted(alone), self._clock.now())
        return ids[-1] if len(ids) == PAGE else None


def _place(after: str, only: UUID | None) -> tuple[str, UUID, int, int]:
    """Parse where a call goes on. Raises BadRequest."""
    if not after:
        return "mailbox", only or UUID(int=0), 0, 0
    parts = after.split(":")
    try:
        stage, mailbox_id, folder_id, uid = parts[0], UUID(parts[1]), int(parts[2]), int(parts[3])
    except (ValueError, IndexError):
        raise BadRequest("`after` is `next` of the answer before") from None
    if stage not in ("mailbox", "body") or not (0 <= folder_id < 2**31 and 0 <= uid < 2**62):
        raise BadRequest("`after` is `next` of the answer before")
    return stage, mailbox_id, folder_id, uid
