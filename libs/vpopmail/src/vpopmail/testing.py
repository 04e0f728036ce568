"""Builds vpopmail hosts for tests, with the files that vpopmail itself writes, as it lays them out."""

import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

#: Where vpopmail lives on the old host: the paths in its files begin with it.
HOME = "/home/vpopmail"

#: The password is "correct horse".
MD5 = "$1$saltsalt$NuzA7WTAelpl95xgBGWN60"


class BuiltHost:
    """A host under `root`: a folder put together, or with `copied_root` the copy of a whole root."""

    def __init__(self, root: Path, *, copied_root: bool = False) -> None:
        self.users = root / ("var/qmail/users" if copied_root else "users")
        self.home = root / HOME[1:] if copied_root else root
        self._lines: list[str] = []
        for folder in (self.users, self.home / "domains", self.home / "etc"):
            folder.mkdir(parents=True, exist_ok=True)
        self.write_assign()

    def domain(self, name: str, *, hashed: str = "") -> "BuiltDomain":
        """Add a domain as vadddomain does; `hashed`: the folder, like "0", that vpopmail uses above 100 domains."""
        path = f"domains/{hashed}/{name}" if hashed else f"domains/{name}"
        self.assign(name, name, f"{HOME}/{path}")
        folder = self.home / path
        folder.mkdir(parents=True)
        made = BuiltDomain(name, folder, f"{HOME}/{path}")
        made.qmail("default", f"| {HOME}/bin/vdelivermail '' bounce-no-mailbox\n")
        return made

    def alias(self, name: str, domain: "BuiltDomain") -> None:
        """Add an alias domain as vaddaliasdomain does."""
        self.assign(name, domain.name, domain.directory)

    def assign(self, name: str, real: str, directory: str) -> None:
        """Add a line of qmail's table and write both of its forms."""
        self._lines.append(f"+{name}-:{real}:89:89:{directory}:-::")
        self.write_assign()

    def write_assign(self) -> None:
        """Write `users/assign`, and `users/cdb` as qmail-newu does."""
        (self.users / "assign").write_text("".join(f"{line}\n" for line in [*self._lines, "."]))
        records: list[tuple[bytes, bytes]] = []
        for line in self._lines:
            key, *fields = line.encode().split(b":")
            records.append((b"!" + key[1:], b"\0".join([*fields[:6], b""])))
        write_cdb(self.users / "cdb", [*records, (b"", b"-")])


class BuiltDomain:
    """A domain; `directory` is its path on the old host."""

    def __init__(self, name: str, folder: Path, directory: str) -> None:
        self.name = name
        self.folder = folder
        self.directory = directory
        self._lines: list[bytes] = []

    def account(
        self, name: str, hash: str = MD5, *, flags: int = 0, quota: str = "NOQUOTA", hashed: str = "", comment: str = ""
    ) -> Path:
        """Add an account as vadduser does; return its folder, which has an empty Maildir."""
        below = f"{hashed}/{name}" if hashed else name
        line = f"{name}:{hash}:1:{flags}:{comment or name}:{self.directory}/{below}:{quota}"
        self.line(line.encode())
        home = self.folder / below
        for part in ("cur", "new", "tmp"):
            (home / "Maildir" / part).mkdir(parents=True)
        return home

    def line(self, line: bytes) -> None:
        """Add a line to `vpasswd`, whatever it is, and write `vpasswd.cdb` as make_vpasswd_cdb does."""
        self._lines.append(line)
        (self.folder / "vpasswd").write_bytes(b"".join(each + b"\n" for each in self._lines))
        write_cdb(
            self.folder / "vpasswd.cdb", [(key, value) for key, _, value in (n.partition(b":") for n in self._lines)]
        )

    def qmail(self, extension: str, text: str | bytes) -> Path:
        """Write `.qmail-EXTENSION`; dots in it become colons, as qmail wants them."""
        path = self.folder / f".qmail-{extension.replace('.', ':')}"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def limits(self, values: Mapping[str, int], switches: Iterable[str] = ()) -> None:
        """Write `.qmailadmin-limits` as vlimits_write_limits_file does."""
        lines = [f"{name}: {value}" for name, value in values.items()] + list(switches)
        (self.folder / ".qmailadmin-limits").write_text("".join(f"{line}\n" for line in lines))

    def responder(self, name: str, message: str) -> None:
        """Add an autoresponder as qmailadmin does."""
        (self.folder / name.upper()).mkdir()
        (self.folder / name.upper() / "message").write_text(message)
        where = f"{self.directory}/{name.upper()}"
        self.qmail(name, f"|/usr/bin/autorespond 10000 5 {where}/message {where}\n")

    def list(self, name: str) -> None:
        """Add a mailing list as ezmlm-make does."""
        where = f"{self.directory}/{name}"
        (self.folder / name).mkdir()
        self.qmail(name, f"|/usr/bin/ezmlm/ezmlm-reject '{where}'\n|/usr/bin/ezmlm/ezmlm-send '{where}'\n")
        self.qmail(f"{name}-default", f"|/usr/bin/ezmlm/ezmlm-manage '{where}'\n")
        self.qmail(f"{name}-return-default", f"|/usr/bin/ezmlm/ezmlm-return '{where}'\n")


class BuiltMaildir:
    """A Maildir++, as vdelivermail, Courier and Dovecot leave it. Folders are named as their directories: "" is INBOX."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder("")

    def folder(self, directory: str) -> Path:
        """Make a folder as Courier does."""
        made = self.path / directory if directory else self.path
        for part in ("cur", "new", "tmp"):
            (made / part).mkdir(parents=True, exist_ok=True)
        if directory:
            (made / "maildirfolder").touch()
        return made

    def message(
        self, base: str, data: bytes, flags: str | None = None, *, directory: str = "", mtime: float = 1e9
    ) -> Path:
        """Add a message; without `flags` it is new."""
        folder = self.folder(directory)
        path = folder / "new" / base if flags is None else folder / "cur" / f"{base}:2,{flags}"
        path.write_bytes(data)
        os.utime(path, (mtime, mtime))
        return path

    def courier(self, uidvalidity: int, uids: Mapping[str, int], directory: str = "") -> None:
        """Write `courierimapuiddb`."""
        lines = [
            f"1 {uidvalidity} {max(uids.values(), default=0) + 1}",
            *(f"{uid} {base}" for base, uid in uids.items()),
        ]
        (self.folder(directory) / "courierimapuiddb").write_text("".join(f"{line}\n" for line in lines))

    def courier_pop3(self, rows: Mapping[str, str]) -> None:
        """Write `courierpop3dsizelist`: UID:UIDVALIDITY by base name."""
        lines = ["/2 1300000000 99", *(f"{base} 100 {uid}" for base, uid in rows.items())]
        (self.path / "courierpop3dsizelist").write_text("".join(f"{line}\n" for line in lines))

    def dovecot(
        self, uidvalidity: int, uids: Mapping[str, int], directory: str = "", uidls: Mapping[str, str] | None = None
    ) -> None:
        """Write `dovecot-uidlist` of version 3."""
        lines = [f"3 V{uidvalidity} N{max(uids.values(), default=0) + 1} Gb6d2bd1d1234"]
        for base, uid in uids.items():
            own = f" P{uidls[base]}" if uidls and base in uidls else ""
            lines.append(f"{uid} W1394{own} :{base}")
        (self.folder(directory) / "dovecot-uidlist").write_text("".join(f"{line}\n" for line in lines))


def write_cdb(path: Path, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Write a constant database (cr.yp.to/cdb/cdb.txt)."""
    body = bytearray()
    tables: list[list[tuple[int, int]]] = [[] for _ in range(256)]
    for key, value in records:
        hashed = 5381
        for octet in key:
            hashed = ((hashed << 5) + hashed ^ octet) & 0xFFFFFFFF
        tables[hashed & 255].append((hashed, 2048 + len(body)))
        body += struct.pack("<II", len(key), len(value)) + key + value
    head, slots = bytearray(), bytearray()
    for table in tables:
        head += struct.pack("<II", 2048 + len(body) + len(slots), 2 * len(table))
        cells = [(0, 0)] * (2 * len(table))
        for hashed, position in table:
            at = (hashed >> 8) % len(cells)
            while cells[at][1]:
                at = (at + 1) % len(cells)
            cells[at] = hashed, position
        for cell in cells:
            slots += struct.pack("<II", *cell)
    path.write_bytes(bytes(head + body + slots))
