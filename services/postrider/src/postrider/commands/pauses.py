"""Commands of `postrider queue` that pause and resume mail."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from mailkit.errors import NotFound
from postrider.commands import common, progress, queue
from postrider.commands.common import Json, fail, show, table

Destination = Annotated[str, typer.Option(help="The domain that mail goes to.")]


def _target(destination: str, account: str, every: bool) -> tuple[str, str | None]:
    if bool(destination) + bool(account) + every != 1:
        fail("name a destination, or an account, or say --all")
    if every:
        return "all", None
    return ("destination", destination) if destination else ("account", queue.account_id(account))


def pause(
    destination: Destination = "",
    account: queue.Account = "",
    every: queue.All = False,
    reason: Annotated[str, typer.Option(help="Why, for those who ask and for the trace.")] = "not given",
    json: Json = False,
) -> None:
    """Try no mail of a destination or an account, or none at all, until it is resumed. It is accepted as before."""
    kind, value = _target(destination, account, every)
    made = common.queue(lambda client: client.pause(kind, value, reason=reason, actor=progress.actor()))
    show(made, json, f"paused: {made['kind']} {made['value']}")


def resume(
    destination: Destination = "",
    account: queue.Account = "",
    every: queue.All = False,
    reason: Annotated[str, typer.Option(help=queue.WHY)] = "",
    json: Json = False,
) -> None:
    """End a pause; what is due is tried within seconds. Of an account, also that of its disabled mailbox."""
    kind, value = _target(destination, account, every)
    ended = common.queue(lambda client: _end(client, kind, value, reason))
    show(ended, json, f"resumed: {ended['kind']} {ended['value']}")


async def _end(client: Any, kind: str, value: str | None, reason: str) -> dict[str, Any]:
    why = {"actor": progress.actor()} | ({"reason": reason} if reason else {})
    kinds = ("disabled", "account") if kind == "account" else (kind,)
    ended = [await common.gone(client.resume(each, value, **why)) for each in kinds]
    found: dict[str, Any] | None = next((each for each in reversed(ended) if each is not None), None)
    if found is None:
        raise NotFound("there is no such pause")
    return found


def pauses(json: Json = False) -> None:
    """List what is paused."""
    columns = {"kind": "KIND", "value": "VALUE", "since": "SINCE", "reason": "REASON"}
    table(common.queue(lambda client: client.list_pauses()), json, columns, "nothing is paused")


COMMANDS: dict[str, Callable[..., None]] = {"pause": pause, "resume": resume, "pauses": pauses}
