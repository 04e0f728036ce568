"""The MessagePack endpoints, as `mailstore_api/wire/__init__.py` lists them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mailkit.errors import PostriderError
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import MSGPACK, App, add_endpoint
from mailkit.rpc.decode import decoded
from mailkit.rpc.disconnect import while_caller_waits
from mailkit.rpc.problems import problem, unexpected
from mailkit.rpc.streams import add_stream
from mailstore.feed import Feed
from mailstore.handlers.feed import add_feed
from mailstore.handlers.proven import Proven
from mailstore.handlers.turns import Turns
from mailstore.reading.export import Exporter
from mailstore.reading.fetch import Fetcher
from mailstore.reading.folders import Folders
from mailstore.reading.metadata import MetadataReader
from mailstore.reading.order import Orders
from mailstore.reading.retrieve import Retriever
from mailstore.reading.search import Searcher
from mailstore.reading.sort import Sorter
from mailstore.reading.usage import Usage
from mailstore.storage.messages import References
from mailstore.upkeep.maintain import Maintenance
from mailstore.writing.append import Appender
from mailstore.writing.copy import Copier
from mailstore.writing.expunge import Expunger
from mailstore.writing.filing import Filer
from mailstore.writing.flags import FlagWriter
from mailstore.writing.folder_tree import FolderTree
from mailstore.writing.importing import Importer
from mailstore.writing.maildrop import Maildrops
from mailstore.writing.metadata import MetadataWriter
from mailstore_api import wire

_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_framed = {kind: msgspec.msgpack.Decoder(kind) for kind in (wire.Append, wire.AppendList, wire.ImportList)}


@dataclass(frozen=True)
class Steps:
    """The objects that the endpoints call."""

    references: References
    filer: Filer
    folders: Folders
    folder_tree: FolderTree
    metadata_reader: MetadataReader
    metadata_writer: MetadataWriter
    flags: FlagWriter
    expunger: Expunger
    copier: Copier
    appender: Appender
    importer: Importer
    exporter: Exporter
    fetcher: Fetcher
    retriever: Retriever
    searcher: Searcher
    sorter: Sorter
    orders: Orders
    maildrops: Maildrops
    feed: Feed
    maintenance: Maintenance
    proven: Proven
    turns: Turns
    usage: Usage
    session_usage: Usage


def add(app: App, steps: Steps, life: Lifecycle, most_bytes: int) -> None:
    """Mount all endpoints on `app`."""
    _add_gateway_and_queue(app, steps)
    _add_frontend(app, steps)
    _add_streams(app, steps, most_bytes)
    _add_imports(app, steps)
    add_feed(app, steps.feed, steps.proven, life)


def _add_gateway_and_queue(app: App, steps: Steps) -> None:
    async def room(question: wire.RoomList) -> wire.RoomAnswers:
        return wire.RoomAnswers(await steps.usage.fits(question.items))

    async def filings(question: wire.FilingList) -> wire.FilingAnswers:
        if question.oldest_queue_id is not None:
            steps.maintenance.oldest_queue_id = question.oldest_queue_id
        return wire.FilingAnswers(await steps.filer.file(question.items))

    async def references(question: wire.ReferenceList) -> wire.ReferenceAnswers:
        found = await steps.references.of(question.body_ids)
        return wire.ReferenceAnswers([body_id in found for body_id in question.body_ids])

    add_endpoint(app, "/v1/room", wire.RoomList, room, "gateway")
    add_endpoint(app, "/v1/filings", wire.FilingList, filings, "queue")
    add_endpoint(app, "/v1/references", wire.ReferenceList, references, "queue")


def _add_imports(app: App, steps: Steps) -> None:
    add_endpoint(app, "/v1/imports/folder", wire.ImportFolder, steps.importer.folder, "admin")
    add_endpoint(app, "/v1/imports/known", wire.KnownQuestion, steps.importer.known, "admin")
    add_endpoint(app, "/v1/exports/folders", wire.ExportQuestion, steps.exporter.folders, "admin")
    add_endpoint(app, "/v1/exports/messages", wire.ExportMessages, steps.exporter.messages, "admin")


def _add_frontend(app: App, steps: Steps) -> None:
    async def renew(question: wire.RenewMaildrops) -> wire.RenewedMaildrops:
        return wire.RenewedMaildrops(await steps.proven.each(question.items, steps.maildrops.renew))

    async def changed(question: wire.FollowedFolders) -> wire.FoldersChanged:
        return wire.FoldersChanged(await steps.proven.each(question.items, steps.folders.changed))

    endpoints: list[tuple[str, type[Any], Callable[[Any], Awaitable[Any]]]] = [
        ("/v1/folders/list", wire.MailboxQuestion, steps.folders.list),
        ("/v1/folders/create", wire.FolderChange, steps.folder_tree.create),
        ("/v1/folders/create-special", wire.SpecialFolder, steps.folder_tree.create_special),
        ("/v1/folders/delete", wire.FolderChange, steps.folder_tree.delete),
        ("/v1/folders/rename", wire.FolderChange, steps.folder_tree.rename),
        ("/v1/folders/subscribe", wire.FolderChange, steps.folder_tree.subscribe),
        ("/v1/folders/unsubscribe", wire.FolderChange, steps.folder_tree.unsubscribe),
        ("/v1/folders/open", wire.OpenFolder, steps.folders.open),
        ("/v1/folders/modseqs", wire.ModseqQuestion, steps.folders.modseqs),
        ("/v1/folders/days", wire.DaysQuestion, steps.folders.days),
        ("/v1/metadata/read", wire.MetadataQuestion, steps.metadata_reader.read),
        ("/v1/metadata/state", wire.MetadataStateQuestion, steps.metadata_reader.state),
        ("/v1/metadata/change", wire.MetadataChange, steps.metadata_writer.change),
        ("/v1/quota", wire.QuotaQuestion, steps.session_usage.quota),
        ("/v1/folders/changes", wire.ChangesQuestion, steps.folders.changes),
        ("/v1/messages/store", wire.StoreQuestion, steps.flags.store),
        ("/v1/messages/store-unchanged", wire.ConditionalStore, steps.flags.store_unchanged),
        ("/v1/messages/copy", wire.CopyQuestion, steps.copier.copy),
        ("/v1/messages/expunge", wire.ExpungeQuestion, steps.expunger.expunge),
        ("/v1/messages/search", wire.SearchQuestion, steps.searcher.search),
        ("/v1/messages/sort", wire.SortQuestion, steps.sorter.sort),
        ("/v1/messages/order", wire.OrderQuestion, steps.orders.order),
        ("/v1/messages/thread", wire.ThreadQuestion, steps.sorter.thread),
        ("/v1/maildrop/open", wire.OpenMaildrop, steps.maildrops.open),
        ("/v1/maildrop/ahead", wire.ReadAhead, steps.retriever.ahead),
        ("/v1/maildrop/close", wire.CloseMaildrop, steps.maildrops.close),
    ]
    for path, question, answer in endpoints:
        if path in _EXPENSIVE:
            answer = _in_turn(steps.turns, answer)
        add_endpoint(app, path, question, steps.proven.first(answer), "frontend")
    add_endpoint(app, "/v1/maildrop/renew", wire.RenewMaildrops, renew, "frontend")
    add_endpoint(app, "/v1/folders/changed", wire.FollowedFolders, changed, "frontend")


#: Endpoints whose work grows with the folder or its messages; they are limited by `Turns`.
_EXPENSIVE = frozenset(
    f"/v1/{path}"
    for path in (
        "folders/delete",
        "folders/rename",
        "folders/open",
        "folders/modseqs",
        "folders/days",
        "messages/store",
        "messages/store-unchanged",
        "messages/copy",
        "messages/expunge",
        "messages/search",
        "messages/sort",
        "messages/order",
        "messages/thread",
        "maildrop/open",
        "maildrop/ahead",
    )
)


def _in_turn(turns: Turns, answer: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    async def in_turn(question: Any) -> Any:
        async with turns.of(question.mailbox_id):
            return await answer(question)

    return in_turn


def _add_streams(app: App, steps: Steps, most_bytes: int) -> None:
    def in_turn(found: Callable[[Any], AsyncGenerator[bytes, None]]) -> Callable[[Any], AsyncGenerator[bytes, None]]:
        async def pieces(question: Any) -> AsyncGenerator[bytes, None]:
            steps.proven.require(question)
            async with steps.turns.of(question.mailbox_id), aclosing(found(question)) as pieces:
                async for piece in pieces:
                    yield piece

        return pieces

    for path, question, found, media_type in (
        ("/v1/maildrop/read", wire.ReadMaildrop, steps.retriever.message, "message/rfc822"),
        ("/v1/messages/fetch", wire.FetchQuestion, steps.fetcher.fetch, "application/octet-stream"),
    ):
        add_stream(app, path, question, in_turn(found), "frontend", media_type=media_type)

    async def framed(
        request: Request, kind: type[Any], step: Callable[[Any, bytes], Awaitable[Any]], *, proven: bool = True
    ) -> Response:
        raw = await request.body()
        size = int.from_bytes(raw[:4], "big")
        head = decoded(_framed[kind], raw[4 : 4 + size], kind)
        if proven:
            steps.proven.require(head)

        put = _in_turn(steps.turns, lambda head: step(head, raw[4 + size :]))
        answer = await while_caller_waits(request.receive, put(head))
        return Response(_encode(answer), media_type=MSGPACK)

    async def append(request: Request) -> Response:
        return await framed(request, wire.Append, steps.appender.append)

    async def append_list(request: Request) -> Response:
        return await framed(request, wire.AppendList, steps.appender.append_list)

    async def import_list(request: Request) -> Response:
        return await framed(request, wire.ImportList, steps.importer.messages, proven=False)

    for path, kind, answer, caller, most in (
        ("/v1/messages/append", wire.Append, append, "frontend", most_bytes),
        ("/v1/messages/append-list", wire.AppendList, append_list, "frontend", most_bytes),
        ("/v1/imports/messages", wire.ImportList, import_list, "admin", wire.LARGEST_IMPORTED),
    ):
        app.questions[path] = kind
        app.authority.allow(path, caller, most=most + 1024 * 1024)
        app.add_route(path, _guarded(answer), methods=["PUT"], include_in_schema=False)


def _guarded(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except PostriderError as error:
            return problem(error.slug, error.status_code, str(error), error.items)
        except Exception as error:
            return await unexpected(request, error)

    return endpoint
