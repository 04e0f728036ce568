"""TRANSACTION: listings and marks (RFC 1939 5 and 7); `retrieval` sends messages."""

from collections.abc import Callable

from pop_imap_frontend.pop3.session import Pop3Session


async def stat(session: Pop3Session, argument: str) -> None:
    drop = session.drop
    session.reply(f"+OK {len(drop.uids) - len(drop.deleted)} {drop.octets}")


def _list(session: Pop3Session, argument: str, value: Callable[[int], str]) -> None:
    if argument:
        at = session.drop.position(argument)
        session.reply(f"+OK {at + 1} {value(at)}")
        return
    lines = [f"{at + 1} {value(at)}" for at in session.drop.present()]
    session.reply("\r\n".join([f"+OK {len(lines)} messages", *lines, "."]))


async def list_(session: Pop3Session, argument: str) -> None:
    _list(session, argument, lambda at: str(session.drop.sizes[at]))


async def uidl(session: Pop3Session, argument: str) -> None:
    _list(session, argument, session.drop.uidl)


async def dele(session: Pop3Session, argument: str) -> None:
    at = session.drop.position(argument)
    session.drop.mark(at)
    session.reply(f"+OK message {at + 1} marked")


async def rset(session: Pop3Session, argument: str) -> None:
    session.drop.reset()
    session.reply("+OK")


async def noop(session: Pop3Session, argument: str) -> None:
    session.reply("+OK")
