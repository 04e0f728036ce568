"""A mailbox as a tar file of a Maildir++, as Dovecot keeps one, and its account record (docs/decisions/0106)."""

import io
import json
import tarfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from mailstore_api.admin import MailstoreAdmin
from mailstore_api.wire import DELIMITER, FIRST_KEYWORD_BIT, SYSTEM_FLAGS, ExportedFolder, ExportedMessage
from postrider.moving.meter import Meter
from postrider.moving.notes import Notes
from vpopmail.folder_names import directory_of

#: Letters after `:2,`, and keywords that have one of their own: the others get a to z in `dovecot-keywords`.
_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "$Forwarded": "P", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
_MOST_KEYWORDS = 26


@dataclass(slots=True)
class _FolderFiles:
    """What is written beside a folder's messages once they are known."""

    keywords: list[str] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)


class Archive:
    """Writes a mailbox into a tar file, one batch of messages in memory at a time."""

    def __init__(self, tar: tarfile.TarFile, root: str, notes: Notes, meter: Meter) -> None:
        """`root`: the name of the tar's folder."""
        self._tar = tar
        self._root = root
        self._notes = notes
        self._meter = meter
        self.messages = 0

    async def write(self, client: MailstoreAdmin, mailbox_id: UUID, record: dict[str, Any]) -> None:
        """Write the account `record`, the folders and their messages. Raises the errors of the client."""
        self._file("account.json", json.dumps(record, indent=1, default=str).encode() + b"\n")
        folders = await client.export_folders(mailbox_id)
        self._meter.total = sum(folder.messages for folder in folders)
        for folder in folders:
            await self._folder(folder, client.export_messages(mailbox_id, folder.folder_id))
        names = [levels_of(folder.name) for folder in folders if folder.subscribed and folder.name != "INBOX"]
        lines = ["V\t2", "", *("\t".join(directory_of([level])[1:] for level in levels) for levels in names)]
        self._file("Maildir/subscriptions", "".join(f"{line}\n" for line in lines).encode())

    async def _folder(self, folder: ExportedFolder, batches: AsyncIterator[list[ExportedMessage]]) -> None:
        where = "Maildir" if folder.name == "INBOX" else f"Maildir/{directory_of(levels_of(folder.name))}"
        for part in ("", "/cur", "/new", "/tmp"):  # noqa: S108 - of the Maildir
            self._directory(f"{where}{part}")
        if folder.name != "INBOX":
            self._file(f"{where}/maildirfolder", b"")
        files = _FolderFiles()
        async for batch in batches:
            for message in batch:
                self._message(where, folder, message, files)
            self._meter.add(len(batch))
        header = f"3 V{folder.uidvalidity} N{folder.uidnext}"
        self._file(f"{where}/dovecot-uidlist", "".join(f"{line}\n" for line in [header, *files.uids]).encode())
        keywords = "".join(f"{number} {name}\n" for number, name in enumerate(files.keywords))
        self._file(f"{where}/dovecot-keywords", keywords.encode())

    def _message(self, where: str, folder: ExportedFolder, message: ExportedMessage, files: _FolderFiles) -> None:
        name = f"{folder.name}, UID {message.uid}"
        if message.octets is None:
            self._notes.add("unreadable", name, "its octets cannot be read")
            return
        at = int(message.internal_date)
        base = f"{at}.M{message.uid}P{folder.folder_id}V{folder.uidvalidity}.postrider,S={len(message.octets)}"
        uidl = ""
        if folder.name == "INBOX":
            uidl = f" P{message.uidl or f'{folder.uidvalidity}.{message.uid}'}"
        files.uids.append(f"{message.uid}{uidl} :{base}")
        letters = self._letters(name, folder.keywords, message.flags, files)
        self._file(f"{where}/cur/{base}:2,{letters}", message.octets, at)
        self.messages += 1

    def _letters(self, name: str, keywords: Sequence[str], mask: int, files: _FolderFiles) -> str:
        flags = [flag for flag, bit in SYSTEM_FLAGS.items() if mask & bit]
        flags += [each for at, each in enumerate(keywords) if mask & (1 << (FIRST_KEYWORD_BIT + at))]
        letters = []
        for flag in flags:
            if flag in _LETTERS:
                letters.append(_LETTERS[flag])
                continue
            if flag not in files.keywords and len(files.keywords) < _MOST_KEYWORDS:
                files.keywords.append(flag)
            if flag in files.keywords:
                letters.append(chr(ord("a") + files.keywords.index(flag)))
            else:
                self._notes.add("changed", name, "lacks keywords: a folder of a Maildir has 26")
        return "".join(sorted(letters))

    def _directory(self, name: str) -> None:
        info = self._info(name, time.time())
        info.type, info.mode = tarfile.DIRTYPE, 0o700
        self._tar.addfile(info)

    def _file(self, name: str, data: bytes, at: float | None = None) -> None:
        info = self._info(name, time.time() if at is None else at)
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))

    def _info(self, name: str, at: float) -> tarfile.TarInfo:
        info = tarfile.TarInfo(f"{self._root}/{name}")
        info.mtime, info.mode = int(at), 0o600
        return info


def levels_of(name: str) -> list[str]:
    """Return the levels of a folder's name."""
    return name.split(DELIMITER)
