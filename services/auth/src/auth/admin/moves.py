"""The rules for domains that move in from an old host (docs/decisions/0126)."""

from auth.admin.accounts import domain_name
from auth.admin.move_models import DomainMove, OldServer, SetMove
from auth.storage.moves import MoveRows
from mailkit.errors import BadRequest
from mailkit.mail.address import BadAddress, Networks
from mailkit.postgres.rows import Row


class MoveRules:
    """The JSON API's operations on moves."""

    def __init__(self, rows: MoveRows) -> None:
        self._rows = rows

    async def start(self, name: str, question: SetMove) -> DomainMove:
        """Begin a move, or replace its hosts."""
        if question.imap is None and question.pop3 is None:
            raise BadRequest("name the old host's IMAP or POP3 server: one of them checks the passwords")
        try:
            Networks(question.networks)
        except BadAddress as error:
            raise BadRequest(str(error)) from error
        hosts = [part for server in (question.imap, question.pop3) for part in _columns(server)]
        await self._rows.start(domain_name(name), hosts, question.networks)
        return await self.move(name)

    async def move(self, name: str) -> DomainMove:
        return _move(await self._rows.move(domain_name(name)))

    async def moves(self, after: str, limit: int) -> list[DomainMove]:
        return [_move(row) for row in await self._rows.moves(after, limit)]

    async def switch(self, name: str) -> DomainMove:
        """Let mail and logins of the domain be here, and end its open sessions."""
        await self._rows.turn(domain_name(name), "new")
        return await self.move(name)

    async def back(self, name: str) -> DomainMove:
        """Let mail and logins of the domain be at the old host again, and end its open sessions."""
        await self._rows.turn(domain_name(name), "old")
        return await self.move(name)

    async def end(self, name: str) -> None:
        """Forget the old host."""
        await self._rows.end(domain_name(name))


def _columns(server: OldServer | None) -> tuple[str | None, int | None]:
    return (None, None) if server is None else (server.host, server.port)


def _move(row: Row) -> DomainMove:
    return DomainMove(
        domain=row["domain"],
        phase=row["phase"],
        imap=_server(row["imap_host"], row["imap_port"]),
        pop3=_server(row["pop3_host"], row["pop3_port"]),
        networks=row["networks"],
        mailboxes=row["mailboxes"],
        made_by_login=row["made_by_login"],
        started_at=row["started_at"],
        changed_at=row["changed_at"],
    )


def _server(host: str | None, port: int | None) -> OldServer | None:
    return OldServer(host=host, port=port) if host is not None and port is not None else None
