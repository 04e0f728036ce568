"""Large folders, made quickly: the TEXTS messages of `mail` again and again, each copy a message with a body of its own."""

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from tests.bench.mail import DAYS, FIRST_DAY, TEXTS, UNSEEN_EVERY, received

#: Messages that one statement inserts.
_SLICE = 50_000
#: Columns of a copy that are not those of the message that it copies.
_OWN = {
    "message": {
        "uid": "n.uid",
        "body_id": "n.body_id",
        "flags": "n.flags",
        "modseq": "(select highest_modseq from mailstore.folder where mailbox_id = $1 and folder_id = 1)",
        "internaldate": "n.internaldate",
    },
    "rendered": {"uid": "n.uid"},
}
_NEW = f"""
create temp table new as
select uid, (uid - 1) % {TEXTS} + 1 as old, case when (uid - 1) % {UNSEEN_EVERY} = 0 then 0 else 8 end::bigint as flags,
       $1::timestamptz + interval '1 day' * {DAYS} * (uid - 1) / $2::bigint as internaldate,
       overlay(overlay(lpad(to_hex(uid), 32, '0') placing '7' from 13) placing 'b' from 17)::uuid as body_id
  from generate_series($3::bigint, $4::bigint) as uid
"""
_BODIES = (
    "insert into bodies.body (id, size, created_at) select n.body_id, b.size, b.created_at from new n "
    "join mailstore.message m on m.mailbox_id = $1 and m.folder_id = 1 and m.uid = n.old join bodies.body b on b.id = m.body_id",
    "insert into bodies.chunk (body_id, n, data) select n.body_id, c.n, c.data from new n "
    "join mailstore.message m on m.mailbox_id = $1 and m.folder_id = 1 and m.uid = n.old join bodies.chunk c on c.body_id = m.body_id",
)
_COUNTS = """
with m as (
    select count(*) as messages, count(*) filter (where flags & 8 = 0) as unseen, sum(size) as octets, max(uid) as last
      from mailstore.message where mailbox_id = $1 and folder_id = 1
), u as (
    update mailstore.mailbox set usage = m.octets from m where id = $1
)
update mailstore.folder f set messages = m.messages, unseen = m.unseen, octets = m.octets, uidnext = m.last + 1,
       highest_modseq = f.highest_modseq + 1
  from m where f.mailbox_id = $1 and f.folder_id = 1
"""


async def fill_postrider(dsn: str, mailbox_id: UUID, count: int) -> None:
    """Fill an INBOX that has the TEXTS messages, filed by the product, to `count`; then VACUUM as a settled database has."""
    connection = await asyncpg.connect(dsn)
    try:
        for first in range(1, count + 1, _SLICE):
            last = min(count, first + _SLICE - 1)
            await connection.execute("drop table if exists new")
            await connection.execute(
                _NEW.replace("$1", f"'{FIRST_DAY.isoformat()}'")
                .replace("$2", str(count))
                .replace("$3", str(first))
                .replace("$4", str(last))
            )
            await connection.execute(
                "update mailstore.message m set flags = n.flags, internaldate = n.internaldate from new n "
                f"where n.uid <= {TEXTS} and m.mailbox_id = $1 and m.folder_id = 1 and m.uid = n.uid",
                mailbox_id,
            )
            await connection.execute(f"delete from new where uid <= {TEXTS}")
            for statement in _BODIES:
                await connection.execute(statement, mailbox_id)
            for table in _OWN:
                await connection.execute(await _copy(connection, table), mailbox_id)
        await connection.execute(_COUNTS, mailbox_id)
        for table in ("mailstore.message", "mailstore.rendered", "mailstore.folder", "bodies.body", "bodies.chunk"):
            await connection.execute(f"vacuum (analyze) {table}")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def indexed(dsn: str) -> int:
    """Return the number of messages in the text index."""
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval("select count(*) from mailstore.text_signature")
        return count
    finally:
        await connection.close()


async def _copy(connection: asyncpg.Connection, table: str) -> str:
    """Return the statement that copies rows, whatever other columns the table has."""
    columns = [
        row["column_name"]
        for row in await connection.fetch(
            "select column_name from information_schema.columns where table_schema = 'mailstore' and table_name = $1 "
            "and is_generated = 'NEVER' order by ordinal_position",
            table,
        )
    ]
    values = ", ".join(_OWN[table].get(name, f"t.{name}") for name in columns)
    unused = "" if table == "message" else " and $1::uuid is not null"
    return (
        f"insert into mailstore.{table} ({', '.join(columns)}) select {values} from new n "
        f"join mailstore.{table} t on t.mailbox_id = $1 and t.folder_id = 1 and t.uid = n.old{unused}"
    )


def fill_maildir(folder: Path, texts: Sequence[bytes], count: int, owner: int) -> None:
    """Make a Maildir with `count` messages; Dovecot reads INTERNALDATEs from the files' times, sizes from their names."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        os.chown(folder / name, owner, owner)
    os.chown(folder, owner, owner)
    cur = os.open(folder / "cur", os.O_RDONLY)
    try:
        for number in range(count):
            text, date = texts[number % TEXTS], int(received(number, count).timestamp())
            flags = "" if number % UNSEEN_EVERY == 0 else "S"
            name = f"{date}.M{number:07d}P1.bench,S={len(text)},W={len(text)}:2,{flags}"
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=cur)
            os.write(file, text)
            os.fchown(file, owner, owner)
            os.utime(file, (date, date))
            os.close(file)
        os.utime(cur, (0, 0))  # Dovecot reads a folder that has changed in this second at each access
    finally:
        os.close(cur)
