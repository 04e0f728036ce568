"""The list doors (MessagePack): /v1/senders, /v1/recipients, /v1/logins, /v1/undo-checks, /v1/sessions."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from auth.logins import Checker
from auth.recipients import Recipients
from auth.senders import Senders
from auth.sessions import Sessions
from auth_client import wire
from mailkit.errors import BadRequest
from mailkit.web import App, Tokens, add_door

#: Decision 3: what a list carries at most.
MOST_ITEMS = 100


def add_doors(
    app: App, tokens: Tokens, senders: Senders, recipients: Recipients, logins: Checker, sessions: Sessions
) -> None:
    """Mount the five doors, each for its callers."""

    def door(
        path: str, question: type[Any], answer: type[Any], work: Callable[[Sequence[Any]], Awaitable[Sequence[Any]]],
        *callers: str, most: int = MOST_ITEMS,
    ) -> None:  # fmt: skip
        async def listed(asked: Any) -> Any:
            if len(asked.items) > most:
                raise BadRequest(f"a list here has at most {most} items")
            return answer(list(await work(asked.items)) if asked.items else [])

        add_door(app, path, question, listed, tokens, *callers)

    door("/v1/senders", wire.SenderList, wire.SenderAnswers, senders.answer, "gateway")
    door("/v1/recipients", wire.RecipientList, wire.RecipientAnswers, recipients.answer, "gateway")
    door("/v1/logins", wire.LoginList, wire.LoginAnswers, logins.answer, "gateway", "frontend")
    door("/v1/undo-checks", wire.UndoCheckList, wire.UndoCheckAnswers, logins.undo_checks, "frontend")
    # all open sessions of a front end in one question
    door("/v1/sessions", wire.SessionList, wire.SessionAnswers, sessions.answer, "gateway", "frontend", most=50_000)
