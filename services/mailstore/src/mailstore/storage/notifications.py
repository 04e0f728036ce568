"""Notifications of changed mailboxes: NOTIFY in the transaction of a change, LISTEN on a session of its own (decision 8)."""

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

from mailkit.postgres.pool import Connection, Queries, open_session

queries = Queries("mailstore.storage", "notifications.sql")

CHANNEL = "postrider_mailboxes"
#: Payloads stay below 7,900 octets; above _MOST_NAMED mailboxes the payload is `*`, for any mailbox.
_IDS_A_PAYLOAD = 235
_MOST_NAMED = 5000
_ALL = "*"
#: Seconds between checks of the session, and the longest wait for their answer.
_CHECK_SECONDS = 2.0
_ANSWER_SECONDS = 5.0


async def notify(connection: Connection, mailbox_ids: Iterable[UUID]) -> None:
    """Announce a change of these mailboxes at commit: one call per transaction."""
    ids = sorted({mailbox_id.hex for mailbox_id in mailbox_ids})
    if len(ids) > _MOST_NAMED:
        payloads = [_ALL]
    else:
        payloads = [" ".join(ids[at : at + _IDS_A_PAYLOAD]) for at in range(0, len(ids), _IDS_A_PAYLOAD)]
    await connection.execute(queries.notify, payloads)


async def listen(dsn: str, changed: Callable[[list[UUID] | None], None], listening: Callable[[], None]) -> None:
    """Call `listening` once, then `changed` with the mailboxes of each notification (None: any), until the session ends.

    Raises the errors of the connection; its state is checked every _CHECK_SECONDS.
    """

    def received(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        text = str(payload)
        changed(None if text == _ALL else [UUID(hex=part) for part in text.split()])

    connection = await open_session(dsn, "feed")
    try:
        await connection.add_listener(CHANNEL, received)
        listening()
        while not connection.is_closed():
            await asyncio.wait_for(connection.fetchval("select 1"), _ANSWER_SECONDS)
            await asyncio.sleep(_CHECK_SECONDS)
    finally:
        connection.terminate()
