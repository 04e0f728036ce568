"""The verbs that need no more than a reply: RSET, NOOP, QUIT, VRFY, EXPN, HELP (RFC 5321 4.1.1.5-10)."""

from smtp_gateway import replies
from smtp_gateway.smtp.session import SmtpSession


async def rset(session: SmtpSession, argument: str) -> None:
    if argument:
        return await session.say(replies.NO_ARGUMENT, "RSET")
    session.forget_transaction()
    await session.say(replies.OK, junk=True)
    return session.drain_if_due()


async def noop(session: SmtpSession, argument: str) -> None:
    await session.say(replies.OK, junk=True)


async def quit_(session: SmtpSession, argument: str) -> None:
    session.closing = True
    await session.say(replies.NO_ARGUMENT if argument else replies.BYE, "QUIT")


async def vrfy(session: SmtpSession, argument: str) -> None:
    await session.say(replies.CANNOT_VRFY if argument else replies.BAD_SYNTAX, "VRFY", junk=True)


async def expn(session: SmtpSession, argument: str) -> None:
    await session.say(replies.NOT_IMPLEMENTED, "EXPN")


async def help_(session: SmtpSession, argument: str) -> None:
    await session.say(replies.HELP, junk=True)
