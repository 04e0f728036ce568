"""Commands that bring mailboxes from other systems (docs/operate/moving-in.md)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from mailkit.errors import PostriderError
from postrider.commands.common import Json, auth, endpoint, fail, show

app = typer.Typer(help="Move in from another mail system.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what maps to what and what does not; change nothing.")]
NotesFile = Annotated[
    Path | None, typer.Option("--notes", metavar="FILE", help="Write every single note there, a line each.")
]
UidlFormat = Annotated[
    str,
    typer.Option("--uidl-format", help="The old host's pop3_uidl_format, if Dovecot was its POP3 server: %u %v %f %g."),
]


@app.command("vpopmail")
def vpopmail(
    path: Path,
    dry_run: DryRun = False,
    accounts_only: Annotated[bool, typer.Option("--accounts-only", help="Bring no mail.")] = False,
    uidl_format: UidlFormat = "%08Xu%08Xv",
    notes: NotesFile = None,
    json: Json = False,
) -> None:
    """Bring the domains, mailboxes, forwards and mail of a vpopmail host from PATH.

    PATH is a folder with its users/, domains/ and etc/, or a copy of its root. Links are not followed, programs are not run, and nothing outside PATH is read. A repeated run brings what is new since, and completes one that was stopped.
    """
    from postrider.moving.dry_run import dry_run as look  # noqa: PLC0415 - `--help` needs no reader
    from postrider.moving.host import HostImport  # noqa: PLC0415
    from postrider.moving.page import done, page  # noqa: PLC0415

    with _told(path, notes):
        if dry_run:
            sums, found = look(path, notes)
            if json:
                show({"path": str(path), **sums.record(), **found.record()}, True)
            else:
                print(page(f"{path} holds:", sums, found))
            return
        _check_format(uidl_format)
        with _notes(notes) as found:
            importing: list[HostImport] = []

            async def bring(auth_client: Any, mailstore_client: Any) -> None:
                importing.append(
                    HostImport(auth_client, mailstore_client, found, mail=not accounts_only, dovecot_format=uidl_format)
                )
                await importing[0].run(path)

            _with_services(bring)
        made = importing[0].record()
        if json:
            show({"path": str(path), **importing[0].sums.record(), **made, **found.record()}, True)
        else:
            print(page(f"{path} came over:", importing[0].sums, found))
            print(f"\n{done(importing[0].messages, importing[0].meter.seconds())}")


@app.command("maildir")
def maildir(
    path: Path, mailbox: str, uidl_format: UidlFormat = "%08Xu%08Xv", notes: NotesFile = None, json: Json = False
) -> None:
    """Bring the Maildir++ PATH into a MAILBOX that exists: folders, flags, dates, UIDs, UIDLs, subscriptions."""
    from postrider.moving.host import import_maildir  # noqa: PLC0415 - `--help` needs no reader

    _check_format(uidl_format)

    async def bring(mailbox_id: UUID, client: Any, found: Any) -> Any:
        return await import_maildir(path, mailbox_id, client, found, uidl_format)

    _one_mailbox(path, mailbox, notes, json, bring)


@app.command("mbox")
def mbox(
    path: Path,
    mailbox: str,
    folder: Annotated[str, typer.Option(help="The folder to fill, with / between levels.")] = "INBOX",
    notes: NotesFile = None,
    json: Json = False,
) -> None:
    """Bring the messages of an mbox file into a folder of a MAILBOX that exists."""
    from postrider.moving.host import import_mbox  # noqa: PLC0415 - `--help` needs no reader

    levels = () if folder == "INBOX" else tuple(folder.split("/"))

    async def bring(mailbox_id: UUID, client: Any, found: Any) -> Any:
        return await import_mbox(path, levels, mailbox_id, client, found)

    _one_mailbox(path, mailbox, notes, json, bring)


def _one_mailbox(
    path: Path, mailbox: str, notes: Path | None, json: bool, bring: Callable[[UUID, Any, Any], Awaitable[Any]]
) -> None:
    """Import into one mailbox and print what was done; `bring` gets its id, a client of mailstore and the notes."""
    from postrider.moving.page import done, reasons  # noqa: PLC0415

    mailbox_id = UUID(auth(lambda client: client.mailbox(mailbox))["id"])
    with _told(path, notes), _notes(notes) as found:
        results: list[Any] = []

        async def run(_: Any, mailstore_client: Any) -> None:
            results.extend(await bring(mailbox_id, mailstore_client, found))

        _with_services(run)
    importing, meter = results
    messages = {"imported": importing.taken, "known": importing.known, "renumbered": importing.renumbered}
    if json:
        show({"mailbox": mailbox, "messages": messages, **found.record()}, True)
    else:
        print("\n".join([done(messages, meter.seconds()), *reasons(found)]))


def _check_format(text: str) -> None:
    from vpopmail.uidls import check_format  # noqa: PLC0415

    if not check_format(text):
        fail(f"{text!r} has variables that cannot be known here; %u, %v, %f and %g can", 2)


@contextmanager
def _notes(path: Path | None) -> Iterator[Any]:
    from postrider.moving.notes import Notes  # noqa: PLC0415

    if path is None:
        yield Notes()
        return
    with path.open("w", encoding="utf-8") as file:
        yield Notes(file)


@contextmanager
def _told(path: Path, notes: Path | None) -> Iterator[None]:
    """End the command with a sentence if PATH cannot be read or `notes` not be written."""
    from vpopmail.tree import Unreadable  # noqa: PLC0415

    try:
        yield
    except Unreadable as error:
        fail(f"{path} {error}")
    except OSError as error:
        fail(f"{notes or path}: {error.strerror}")


def _with_services(work: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Run `work` with clients of auth and mailstore; a refusal ends the command with a sentence that says how to go on."""
    from auth_api.admin import AuthAdmin  # noqa: PLC0415
    from mailstore_api.admin import MailstoreAdmin  # noqa: PLC0415

    at_auth, at_mailstore = endpoint("AUTH"), endpoint("MAILSTORE")

    async def run() -> None:
        clients = AuthAdmin(*at_auth), MailstoreAdmin(*at_mailstore)
        try:
            await work(*clients)
        finally:
            for client in clients:
                await client.aclose()

    try:
        asyncio.run(run())
    except BaseExceptionGroup as group:
        refused = group.subgroup(PostriderError)
        if refused is None:
            raise
        error: BaseException = refused
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        fail(f"{error}; run the same command again to go on")
    except PostriderError as error:
        fail(f"{error}; run the same command again to go on")
