"""Functions that all commands share: endpoints, output for people and scripts, and errors in one sentence."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from mailkit.errors import NotFound, PostriderError, Unauthorised, Unavailable

T = TypeVar("T")
Record = dict[str, Any]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for scripts.")]

EX_CONFIG = 78

#: The settings in `postrider.env` by which a running service is reached. They are used together or not at all: mixed with
#: those of another one, a mailbox would be disabled in one and purged in the other, and a token sent to the wrong one.
_ENDPOINTS = ("AUTH_URL", "QUEUE_URL", "MAILSTORE_URL", "GATEWAY_URL", "ADMIN_TOKEN", "TOKEN", "TOKEN_SIMULATE_GATEWAY")


def settings() -> dict[str, str]:
    """Return the `POSTRIDER_…` settings without prefix: of the environment, else of the running service's `postrider.env`.

    If the environment has the URL of any service, the file's endpoints and token are not used.
    """
    own = {
        name.removeprefix("POSTRIDER_"): value
        for name, value in os.environ.items()
        if name.startswith("POSTRIDER_") and value
    }
    own.setdefault("STATE", ".run")
    try:
        lines = (Path(own["STATE"]) / "postrider.env").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    found = {name.removeprefix("POSTRIDER_"): value for name, _, value in (line.partition("=") for line in lines)}
    if any(name in own for name in _ENDPOINTS if name.endswith("_URL")):
        found = {name: value for name, value in found.items() if name not in _ENDPOINTS}
    return found | own


def endpoint(name: str, authority: str = "ADMIN_TOKEN") -> tuple[str, str]:
    """Return (URL, token) of AUTH, QUEUE, MAILSTORE or GATEWAY; `authority` is the name of the token, in place of the admin's POSTRIDER_TOKEN.

    Ends the command if one is missing.
    """
    known = settings()
    url, token = known.get(f"{name}_URL"), known.get(authority)
    if authority == "ADMIN_TOKEN":
        token = known.get("TOKEN") or token
    if url and token:
        return url, token
    missing = " and ".join(
        f"POSTRIDER_{part}" for part, value in ((f"{name}_URL", url), (authority, token)) if not value
    )
    fail(f"no running service is known here: start one with `make run`, or set {missing}", EX_CONFIG)


def fail(sentence: str, status: int = 1) -> NoReturn:
    """End the command with one sentence on standard error: one line, whatever `sentence` contains."""
    print(f"postrider: {printable(' '.join(sentence.split()))}", file=sys.stderr)
    raise typer.Exit(status)


def printable(text: str) -> str:
    """Replace what is not printable in `text`: replies of remote hosts are shown on operators' terminals."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def call(client_type: Any, name: str, work: Callable[[Any], Awaitable[T]], *, authority: str = "ADMIN_TOKEN") -> T:
    """Run `work` with a client of the service `name`; a refusal ends the command with one sentence and status 1."""
    from msgspec import MsgspecError  # noqa: PLC0415 - `--help` needs no codec

    url, secret = endpoint(name, authority)

    async def run() -> T:
        client = client_type(url, secret)
        try:
            return await work(client)
        finally:
            await client.aclose()

    try:
        return asyncio.run(run())
    except Unauthorised:
        if authority == "ADMIN_TOKEN" and settings().get("TOKEN"):
            fail(
                f"{url} refuses POSTRIDER_TOKEN: it has ended, or was revoked or rotated; `postrider token add` makes another"
            )
        fail(f"{url} refuses this token; set POSTRIDER_{authority} to the one it was started with")
    except Unavailable as error:
        fail(f"{error}; is the service running, and is POSTRIDER_{name}_URL ({url}) right?")
    except PostriderError as error:
        fail(str(error))
    except (MsgspecError, ValueError) as error:
        fail(f"{url} does not answer as a Postrider service does ({type(error).__name__})")


async def gone(deletion: Awaitable[T]) -> T | None:
    """Await `deletion`; None if another command, or an earlier try whose answer was lost, has already done it."""
    try:
        return await deletion
    except NotFound:
        return None


def auth(work: Callable[[Any], Awaitable[T]]) -> T:
    from auth_api.admin import AuthAdmin  # noqa: PLC0415 - `--help` needs no HTTP client

    return call(AuthAdmin, "AUTH", work)


def mailstore(work: Callable[[Any], Awaitable[T]]) -> T:
    from mailstore_api.admin import MailstoreAdmin  # noqa: PLC0415

    return call(MailstoreAdmin, "MAILSTORE", work)


def queue(work: Callable[[Any], Awaitable[T]]) -> T:
    from queue_worker_api.admin import QueueAdmin  # noqa: PLC0415

    return call(QueueAdmin, "QUEUE", work)


def gateway(work: Callable[[Any], Awaitable[T]]) -> T:
    from postrider.gateway import GatewaySimulator  # noqa: PLC0415

    return call(GatewaySimulator, "GATEWAY", work, authority="TOKEN_SIMULATE_GATEWAY")


def show(value: Any, as_json: bool, sentence: str = "") -> None:
    """Print one result: JSON, or a sentence for people."""
    if as_json:
        import json  # noqa: PLC0415

        print(json.dumps(value, default=str))
    elif sentence:
        print(printable(sentence))


def table(rows: Sequence[Record], as_json: bool, columns: dict[str, str], empty: str) -> None:
    """Print a list: JSON, or a table of `columns` (key: heading), or the sentence `empty`."""
    if as_json:
        show(list(rows), True)
        return
    if not rows:
        print(empty)
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(box=None, header_style="bold")
    for heading in columns.values():
        made.add_column(heading, overflow="fold")
    for row in rows:
        # Text, not str: "[/x]" in a remote reply is not markup.
        made.add_row(*(Text(printable(_cell(row.get(key)))) for key in columns))
    Console(width=None if sys.stdout.isatty() else 200).print(made, highlight=False)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    if value is None:
        return "-"
    return "yes" if value is True else "no" if value is False else str(value)


def read_password(from_stdin: bool) -> str:
    """Read a password: one line of standard input without its line end, or typed twice and not shown."""
    if from_stdin:
        try:
            line = sys.stdin.buffer.readline().decode()
        except UnicodeDecodeError:
            fail("the password is not UTF-8")
        password = line.removesuffix("\n").removesuffix("\r")
    elif sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        fail("there is no terminal to ask for the password; give it with --password-stdin")
    if not password:
        fail("the password is empty")
    return password


def confirm(question: str, yes: bool) -> None:
    """Ask before mail is deleted, unless `--yes` was given. Without a terminal the command ends."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail("this deletes mail for good; say --yes when there is no terminal to ask")
    if not typer.confirm(question, err=True):
        fail("nothing was changed")


def parse_size(text: str) -> int:
    """Parse `25MB`, `2GB` or a number of bytes (binary multiples) as bytes, and `none` as 0. Ends the command otherwise."""
    if text.strip().lower() == "none":
        return 0
    units = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
    plain = text.strip().upper()
    digits = plain.rstrip("BKMG")
    unit = plain[len(digits) :]
    digits = digits.strip()
    if not (digits.isascii() and digits.isdecimal()) or unit not in units:
        fail(f"{text!r} is not a size; write for example 25MB or 2GB, or none")
    return int(digits[:20]) * units[unit]
