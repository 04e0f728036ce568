"""Periodic check of the logins of open sessions, in one list call to auth (decision 15)."""

from auth_api.client import AuthClient
from auth_api.wire import SessionQuestion
from smtp_gateway.sessions import Sessions

RECHECK_SECONDS = 5.0


async def recheck(sessions: Sessions, auth: AuthClient) -> None:
    """End the sessions whose account was disabled or whose password changed. Raises Unavailable."""
    asked = [(session, login) for session in sessions.open if (login := session.login) and login.mailbox_id]
    if not asked:
        return
    questions = [SessionQuestion(login.mailbox_id, login.credential_version) for _, login in asked if login.mailbox_id]
    for (session, _), good in zip(asked, await auth.sessions(questions), strict=True):
        if not good:
            session.revoke()
