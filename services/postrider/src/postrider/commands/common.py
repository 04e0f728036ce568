"""What all commands share: endpoints, output for people and scripts, and one sentence when something is refused."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from mailkit.errors import PostriderError

T = TypeVar("T")
Record = dict[str, Any]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for scripts.")]

EX_CONFIG = 78


def settings() -> dict[str, str]:
    """`POSTRIDER_…` without the prefix: `postrider.env` of the running service, and the environment above it."""
    state = Path(os.environ.get("POSTRIDER_STATE") or ".run")
    file = state / "postrider.env"
    found: dict[str, str] = {}
    try:
        lines = file.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition("=")
        found[name.removeprefix("POSTRIDER_")] = value
    found |= {
        name.removeprefix("POSTRIDER_"): value
        for name, value in os.environ.items()
        if name.startswith("POSTRIDER_") and value
    }
    found.setdefault("STATE", str(state))
    return found


def endpoint(name: str) -> tuple[str, str]:
    """(URL, admin token) of AUTH, QUEUE or MAILSTORE. Ends the command when there is none."""
    known = settings()
    url, token = known.get(f"{name}_URL"), known.get("ADMIN_TOKEN")
    if not url or not token:
        fail(
            f"no running service is known here: start one with `make run`, or set POSTRIDER_{name}_URL and POSTRIDER_ADMIN_TOKEN",
            EX_CONFIG,
        )
    assert url and token
    return url, token


def fail(sentence: str, status: int = 1) -> None:
    """End with one sentence on standard error."""
    print(f"postrider: {sentence}", file=sys.stderr)
    raise typer.Exit(status)


def call(client_type: Any, name: str, work: Callable[[Any], Awaitable[T]]) -> T:
    """Run `work` with a client of the service `name`; what it refuses is one sentence and status 1."""

    async def run() -> T:
        client = client_type(*endpoint(name))
        try:
            return await work(client)
        finally:
            await client.aclose()

    try:
        return asyncio.run(run())
    except PostriderError as error:
        fail(str(error))
        raise AssertionError from error


def auth(work: Callable[[Any], Awaitable[T]]) -> T:
    from auth_client.admin import AuthAdmin  # noqa: PLC0415 - `--help` needs no HTTP client

    return call(AuthAdmin, "AUTH", work)


def mailstore(work: Callable[[Any], Awaitable[T]]) -> T:
    from mailstore_client.admin import MailstoreAdmin  # noqa: PLC0415

    return call(MailstoreAdmin, "MAILSTORE", work)


def queue(work: Callable[[Any], Awaitable[T]]) -> T:
    from queue_worker_client.admin import QueueAdmin  # noqa: PLC0415

    return call(QueueAdmin, "QUEUE", work)


def show(value: Any, as_json: bool, sentence: str = "") -> None:
    """One result: JSON, or a sentence for people."""
    if as_json:
        import json  # noqa: PLC0415

        print(json.dumps(value, default=str))
    elif sentence:
        print(sentence)


def table(rows: Sequence[Record], as_json: bool, columns: dict[str, str], empty: str) -> None:
    """A list: JSON, or a table of `columns` (key: heading), or the sentence `empty`."""
    if as_json:
        show(list(rows), True)
        return
    if not rows:
        print(empty)
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    made = Table(*columns.values(), box=None, header_style="bold")
    for row in rows:
        made.add_row(*(_cell(row.get(key)) for key in columns))
    Console(width=None if sys.stdout.isatty() else 200).print(made, highlight=False)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    if value is None:
        return "-"
    return "yes" if value is True else "no" if value is False else str(value)


def read_password(from_stdin: bool) -> str:
    """A password: one line of standard input, or typed twice and not shown."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not password:
        fail("the password is empty")
    return password


def parse_size(text: str) -> int:
    """`25MB`, `2GB` or a number of octets (binary multiples). Ends the command for anything else."""
    units = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
    digits = text.strip().upper().rstrip("BKMG")
    unit = text.strip().upper()[len(digits) :]
    if not digits.strip().isdecimal() or unit not in units:
        fail(f"{text} is not a size; write for example 25MB or 2GB")
    return int(digits) * units[unit]
