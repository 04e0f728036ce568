"""What the gateway uses of aiosmtpd and of asyncio's streams beyond their documentation is as it was when it was reviewed.

A test that fails after an upgrade names what changed. Read the new source of that method, review `smtp/protocol.py`, which is
the only file that touches it, and then enter the new digest here.
"""

import ast
import asyncio
import hashlib
import inspect
from pathlib import Path

import aiosmtpd
import pytest
from aiosmtpd.smtp import SMTP

import smtp_gateway
from smtp_gateway.smtp.protocol import SmtpProtocol
from smtp_gateway.smtp.session import SmtpSession
from tests.support.gateway import Dialogue, context

SOURCES = Path(smtp_gateway.__file__).parent
PROTOCOL = SOURCES / "smtp" / "protocol.py"

#: Methods of aiosmtpd that run in the gateway, with the digest of their source, and why the gateway depends on it.
REVIEWED = {
    "__init__": (
        "8a9ca80f23ad9bf2",
        "sets the private attributes, which are copied into each connection, and nothing that belongs to one of them",
    ),
    "connection_made": ("77a45df5065bba34", "starts the timer and the task of _handle_client, once; makes the session"),
    "connection_lost": ("d3bf6349bc3c25c1", "cancels the timer and the task; the transport is None afterwards"),
    "eof_received": ("baab5aaf93160933", "cancels the task"),
    "_cb_client_connected": ("a73e95bb7f362ab9", "sets _reader and _writer"),
    "_reset_timeout": ("fef19b94d28dff31", "starts the timer anew, with _timeout_cb at its end"),
    "_create_session": ("22b243e82ff1c7a4", "makes the session, which only aiosmtpd uses"),
    "_create_envelope": ("54afceea638744d4", "makes an envelope, which is not used"),
    "_set_rset_state": ("9ff64b71daa68e63", "makes an envelope, and nothing else"),
    "_set_post_data_state": ("1dc8a8abca2a8164", "makes an envelope, and nothing else"),
}
#: Methods that the gateway replaces: they are called with these arguments.
REPLACED = {"_handle_client": "(self) -> None", "_timeout_cb": "(self)"}


def digest(name: str) -> str:
    return hashlib.sha256(inspect.getsource(getattr(SMTP, name)).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", REVIEWED)
def test_what_runs_of_aiosmtpd_is_what_was_reviewed(name: str) -> None:
    known, why = REVIEWED[name]
    assert hasattr(SMTP, name), f"aiosmtpd {aiosmtpd.__version__} has no SMTP.{name}: it {why}; review smtp/protocol.py"
    assert digest(name) == known, (
        f"aiosmtpd {aiosmtpd.__version__} changed SMTP.{name}: it {why}. Review smtp/protocol.py, then enter {digest(name)}"
    )


@pytest.mark.parametrize("name", REPLACED)
def test_what_is_replaced_of_aiosmtpd_is_called_as_it_was(name: str) -> None:
    found = str(inspect.signature(getattr(SMTP, name))) if hasattr(SMTP, name) else "no such method"
    assert found == REPLACED[name], f"aiosmtpd {aiosmtpd.__version__}, SMTP.{name}: review smtp/protocol.py"


#: What the gateway replaces on purpose.
OVERRIDDEN = {
    "connection_made",
    "data_received",
    "connection_lost",
    "transport",
    "envelope",
    *REPLACED,
}


async def test_no_other_name_of_aiosmtpd_is_taken_by_the_gateway() -> None:
    theirs = set(dir(SMTP(None, loop=asyncio.get_running_loop())))
    ours = {name for cls in (SmtpProtocol, SmtpSession) for name in vars(cls)}
    for file in (PROTOCOL, PROTOCOL.with_name("session.py")):
        assigned = (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Attribute))
        ours |= {
            node.attr for node in assigned if isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
        }
    taken = {name for name in ours & theirs - OVERRIDDEN if not name.endswith("__")}
    assert taken == set(), "the gateway and aiosmtpd mean different things by one name"


async def test_asyncios_streams_have_the_attributes_that_are_exchanged_and_emptied() -> None:
    talk = Dialogue(context())
    await talk.say(replies=1)
    session = talk.session
    assert isinstance(session.reader._buffer, bytearray)  # type: ignore[attr-defined]
    assert session.reader._transport is talk.wire  # type: ignore[attr-defined]
    assert session.writer._transport is talk.wire  # type: ignore[attr-defined]
    assert inspect.signature(session.reader._maybe_resume_transport).parameters == {}  # type: ignore[attr-defined]
    source = inspect.getsource(asyncio.StreamReader._maybe_resume_transport)  # type: ignore[attr-defined]
    assert "self._buffer" in source and "resume_reading" in source
    talk.leave()


async def test_only_protocol_py_touches_what_is_private_to_aiosmtpd_and_asyncio() -> None:
    talk = Dialogue(context())
    await talk.say(replies=1)
    aio = SMTP(None, loop=asyncio.get_running_loop())
    theirs = (*dir(aio), *dir(talk.session.reader), *dir(talk.session.writer), "_reader", "_writer")
    private = {name for name in theirs if name.startswith("_") and not name.endswith("__")}
    internal = private | {"envelope", "session", "event_handler", "command_size_limits", "line_length_limit"}
    found = {}
    for file in set(SOURCES.rglob("*.py")) - {PROTOCOL}:
        tree = ast.parse(file.read_text())
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        modules = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        found[file.name] = (used & internal) | (defined & private) | {name for name in modules if "aiosmtpd" in name}
    assert {file: names for file, names in found.items() if names} == {}
    talk.leave()
