"""Decision 0043: an upload by a caller without the right token costs a service nothing, whichever of its paths it is sent to."""

import contextlib
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mailkit.testing.speed import patient
from tests.support.run import Run

MODULES = {
    "auth": "auth",
    "queue": "queue_worker",
    "mailstore": "mailstore",
    "gateway": "smtp_gateway",
    "frontend": "pop_imap_frontend",
}
SIZE = 200_000_000
MOST_GROWTH = 8 * 1024
PATHS = [
    ("auth", "POST /v1/mailboxes"),
    ("auth", "PUT /v1/mailboxes/a@b.test/password"),
    ("auth", "POST /v1/forwards"),
    ("auth", "POST /v1/logins"),
    ("queue", "POST /v1/queue/actions"),
    ("queue", "POST /v1/submissions"),
    ("queue", "PUT /v1/submissions/large"),
    ("mailstore", "POST /v1/filings"),
    ("mailstore", "POST /v1/messages/fetch"),
    ("mailstore", "PUT /v1/messages/append"),
    ("mailstore", "GET /v1/feed"),
    ("gateway", "POST /healthz"),
    ("gateway", "POST /v1/things"),
    ("frontend", "GET /metrics"),
    ("frontend", "POST /v1/things"),
]


def most_memory(pid: int) -> int:
    """The most resident memory (kB) of a process since the last `forget`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def forget(pid: int) -> int:
    """Let the count begin anew; the memory of now (kB)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return most_memory(pid)


def upload(url: str, request: str, framing: str, token: str = "wrong") -> bytes:
    """Send SIZE octets of `[` to a path as far as the service takes them; what it answers."""
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=patient(60)) as client:
        head = (
            f"{request} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
        )
        client.sendall(f"{head}{framing}\r\n\r\n".encode())
        answer = b"" if "100-continue" not in framing else client.recv(4096)
        piece = b"[" * 1_000_000
        if "chunked" in framing:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        with contextlib.suppress(ConnectionError):
            for _ in range(SIZE // 1_000_000):
                client.sendall(piece)
        with contextlib.suppress(ConnectionError):
            while got := client.recv(65536):
                answer += got
        return answer


@pytest.mark.parametrize(("service", "request_line"), PATHS, ids=[f"{s} {r}" for s, r in PATHS])
def test_an_upload_without_the_token_is_refused_unread(run: Run, service: str, request_line: str) -> None:
    url, pid = run.env[f"POSTRIDER_{service.upper()}_URL"], run.service(MODULES[service]).pid
    wanted = b"413" if not request_line.split()[1].startswith("/v1/") else b"401"
    for framing in (f"Content-Length: {SIZE}\r\nExpect: 100-continue", "Transfer-Encoding: chunked"):
        before = forget(pid)
        assert upload(url, request_line, framing).split(b" ", 2)[1] == wanted
        assert most_memory(pid) - before < MOST_GROWTH, framing


def test_an_operators_upload_beyond_the_limit_is_413(run: Run) -> None:
    token = run.env["POSTRIDER_ADMIN_TOKEN"]
    for framing in (f"Content-Length: {SIZE}", "Transfer-Encoding: chunked"):
        pid = run.service("auth").pid
        before = forget(pid)
        answer = upload(run.env["POSTRIDER_AUTH_URL"], "POST /v1/mailboxes", framing, token)
        assert answer.split(b" ", 2)[1] == b"413"
        assert most_memory(pid) - before < MOST_GROWTH, framing
