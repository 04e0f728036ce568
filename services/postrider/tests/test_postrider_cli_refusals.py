"""The command line without a running service: one sentence and a status that means something, never half a change."""

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer

from mailkit.testing.speed import patient
from postrider.commands import common

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command as a script runs it, with nothing of this environment's Postrider in sight."""

    def call(*words: str, text: str | bytes = "", **settings: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("POSTRIDER_")}
        own |= {"POSTRIDER_STATE": str(tmp_path)} | {f"POSTRIDER_{name}": value for name, value in settings.items()}
        data = text.encode() if isinstance(text, str) else text
        done = subprocess.run([sys.executable, "-m", "postrider.cli", *words], env=own, input=data, capture_output=True)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


class Answers(BaseHTTPRequestHandler):
    """A service that says one thing to everything, and remembers what it was asked."""

    status, body, link = 200, b"[]", ""
    asked: list[tuple[str, str, str]] = []

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        self.asked.append((self.command, self.path, self.headers["authorization"]))
        self.send_response(self.status)
        self.send_header("content-length", str(len(self.body)))
        if self.link:
            self.send_header("link", self.link)
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_DELETE = do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def service() -> Iterator[tuple[str, type[Answers]]]:
    """(URL, what it answers)."""

    class Own(Answers):
        asked: list[tuple[str, str, str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", Own
        server.shutdown()
        thread.join()


def sentence(done: subprocess.CompletedProcess[str], status: int) -> str:
    assert done.returncode == status, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("postrider: ")
    return done.stderr


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["domain", "ls"], "AUTH"),
        (["queue", "ls", "--json"], "QUEUE"),
        (["mailbox", "rm", "a@x.test", "--yes"], "MAILSTORE"),
    ],
)
def test_without_a_service_it_says_what_to_do(cli: Cli, words: list[str], name: str) -> None:
    said = sentence(cli(*words), 78)
    assert "`make run`" in said and f"POSTRIDER_{name}_URL and POSTRIDER_ADMIN_TOKEN" in said


@pytest.mark.parametrize(
    "words", [["nope"], ["mailbox", "add"], ["domain", "ls", "--nope"], ["queue", "ls", "--limit", "x"]]
)
def test_a_command_that_is_none_is_one_sentence_too(cli: Cli, words: list[str]) -> None:
    sentence(cli(*words), 2)


@pytest.mark.parametrize("size", ["", "MB", "-30MB", "1.5GB", "30MBMB", "30TB", "٣٠MB"])
def test_what_is_no_size_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        common.parse_size(size)
    assert "is not a size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("25MB", 26214400),
        ("2GB", 2147483648),
        ("25 mb", 26214400),
        ("26214400", 26214400),
        ("30720kb", 31457280),
        ("none", 0),
        ("10GB", 10 << 30),
    ],
)
def test_sizes_are_binary_multiples(text: str, size: int) -> None:
    assert common.parse_size(text) == size


@pytest.mark.parametrize(("text", "why"), [("", "is empty"), ("\n", "is empty"), (b"caf\xe9\n", "not UTF-8")])
def test_a_password_that_cannot_be_one(cli: Cli, text: str | bytes, why: str) -> None:
    assert why in sentence(cli("mailbox", "passwd", "a@x.test", "--password-stdin", text=text), 1)


def test_without_a_terminal_nothing_is_asked(cli: Cli) -> None:
    assert "--password-stdin" in sentence(cli("mailbox", "passwd", "a@x.test"), 1)
    assert "--yes" in sentence(cli("mailbox", "rm", "a@x.test", "--json", text="y\n"), 1)
    assert "--yes" in sentence(cli("domain", "rm", "x.test", text="y\n"), 1)


def test_on_a_terminal_the_password_is_typed_twice_and_not_shown(
    tmp_path: Path, service: tuple[str, type[Answers]]
) -> None:
    url, answers = service
    answers.body = b'{"id": "1", "address": "a@x.test"}'
    ours, theirs = pty.openpty()
    env = os.environ | {"POSTRIDER_AUTH_URL": url, "POSTRIDER_ADMIN_TOKEN": "t", "POSTRIDER_STATE": str(tmp_path)}
    child = subprocess.Popen(
        [sys.executable, "-m", "postrider.cli", "mailbox", "passwd", "a@x.test", "--json"],
        env=env,
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    shown = b""
    for prompt in (b"Password: ", b"Repeat for confirmation: "):  # the last space comes when the echo is off
        while prompt not in shown:
            assert select.select([ours], [], [], patient(20))[0], shown
            shown += os.read(ours, 1000)
        os.write(ours, b"geheim\n")
    out, _ = child.communicate(timeout=patient(30))
    os.close(ours)
    assert child.returncode == 0 and json.loads(out)["address"] == "a@x.test"
    assert b"geheim" not in shown and answers.asked[0][0] == "PUT"


def test_an_endpoint_of_the_environment_never_gets_the_local_token(
    cli: Cli, tmp_path: Path, service: tuple[str, type[Answers]]
) -> None:
    """Nor is a mailbox disabled at one service and purged at another."""
    url, answers = service
    (tmp_path / "postrider.env").write_text(
        f"POSTRIDER_AUTH_URL=http://127.0.0.1:1\nPOSTRIDER_MAILSTORE_URL={url}\nPOSTRIDER_ADMIN_TOKEN=local\n"
    )
    assert "set POSTRIDER_ADMIN_TOKEN\n" in sentence(cli("domain", "ls", AUTH_URL=url), 78)
    said = sentence(cli("mailbox", "rm", "a@x.test", "--yes", AUTH_URL=url, ADMIN_TOKEN="far"), 78)
    assert "set POSTRIDER_MAILSTORE_URL\n" in said and answers.asked == []
    assert cli("domain", "ls", "--json", AUTH_URL=url, ADMIN_TOKEN="far").stdout == "[]\n"
    assert answers.asked == [("GET", "/v1/domains?limit=1000", "Bearer far")]


def test_the_file_of_the_running_service_is_used_when_nothing_else_is_named(
    cli: Cli, tmp_path: Path, service: tuple[str, type[Answers]]
) -> None:
    (tmp_path / "postrider.env").write_text(f"POSTRIDER_AUTH_URL={service[0]}\nPOSTRIDER_ADMIN_TOKEN=local\n")
    assert cli("grant", "ls").stdout == "no address may relay without SMTP AUTH right now\n"
    assert service[1].asked == [("GET", "/v1/grants?limit=1000", "Bearer local")]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (401, b'{"detail": "a valid bearer token is required"}', "POSTRIDER_ADMIN_TOKEN"),
        (409, b'{"detail": "it exists\\n\\u001b[31malready"}', "it exists \N{REPLACEMENT CHARACTER}[31malready"),
        (422, b'{"detail": "name: Field required"}', "name: Field required"),
        (500, b"<html>", "answered 500"),
        (503, b'{"detail": "the database is away"}', "the database is away; is the service running"),
        (200, b"<html>", "does not answer as a Postrider service"),
    ],
)
def test_what_a_service_refuses_is_one_sentence(
    cli: Cli, service: tuple[str, type[Answers]], status: int, body: bytes, why: str
) -> None:
    url, answers = service
    answers.status, answers.body = status, body
    assert why in sentence(cli("domain", "add", "x.test", AUTH_URL=url, ADMIN_TOKEN="t"), 1)


def test_a_service_that_is_away(cli: Cli) -> None:
    said = sentence(cli("domain", "ls", AUTH_URL="http://127.0.0.1:1", ADMIN_TOKEN="t"), 1)
    assert "cannot be reached" in said and "POSTRIDER_AUTH_URL" in said


def test_the_whole_queue_is_listed_page_by_page_and_replies_are_no_markup(
    cli: Cli, service: tuple[str, type[Answers]]
) -> None:
    url, answers = service
    pages = {"": range(1000), f"{999:032x}": range(0), f"{1000:032x}": range(1000, 1002)}
    following = dict(zip(pages, list(pages)[1:], strict=False))

    def do_get(self: Answers) -> None:
        after = self.path.partition("after=")[2].partition("&")[0]
        self.body = json.dumps([{"id": f"{n:032x}", "reply": "550 [/x] \x1b[2J"} for n in pages[after]]).encode()
        self.link = f'</v1/queue?after={following[after]}>; rel="next"' if after in following else ""
        Answers.do_GET(self)

    answers.do_GET = do_get  # type: ignore[method-assign]
    done = cli("queue", "ls", "--json", QUEUE_URL=url, ADMIN_TOKEN="t")
    assert [row["id"] for row in json.loads(done.stdout)] == [f"{n:032x}" for n in range(1002)]
    shown = cli("queue", "ls", "--limit", "1000", QUEUE_URL=url, ADMIN_TOKEN="t").stdout
    assert shown.count("550 [/x] \N{REPLACEMENT CHARACTER}[2J") == 1000 and "\x1b" not in shown
    assert len(answers.asked) == 4, "a limit that is reached asks for no further page"


def test_the_queue_is_printed_as_it_is_read(cli: Cli, service: tuple[str, type[Answers]]) -> None:
    """The first page is printed before the second is there, and a reader that left ends the command."""
    url, answers = service
    answers.body = json.dumps([{"id": "1" * 32, "sender": "a" * 50 + "@x.test", "reply": "two\nlines"}]).encode()
    answers.link = '</v1/queue?after=1>; rel="next"'
    code = "import sys; from postrider.cli import main; sys.argv[1:] = ['queue', 'ls']; main()"
    environment = {**os.environ, "POSTRIDER_QUEUE_URL": url, "POSTRIDER_ADMIN_TOKEN": "t"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        heading, first = process.stdout.readline(), process.stdout.readline()
        assert (
            heading.split()[:2] == ["ID", "SENDER"]
            and first.endswith("  two lines\n")
            and "a\N{HORIZONTAL ELLIPSIS}" in first
        )
        process.stdout.close()
        assert process.wait(patient(20)) == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["hold"], "name messages, or a filter"),
        (["hold", "1" * 32, "--all"], "name messages, or a filter"),
        (["rm", "--all"], "say --yes"),
        (["ls", "--older", "4 hours"], "is not a time"),
        (["ls", "--account", "anna"], "mailbox's address or id"),
        (["pause"], "name a destination"),
        (["resume", "--all", "--destination", "x.test"], "name a destination"),
    ],
)
def test_what_the_queue_commands_refuse(
    cli: Cli, service: tuple[str, type[Answers]], words: list[str], why: str
) -> None:
    url, answers = service
    answers.body = b'{"messages": 1, "recipients": 1, "busy": 0, "next": null}'
    done = cli("queue", *words, QUEUE_URL=url, ADMIN_TOKEN="t")
    assert done.returncode in (1, 2) and why in done.stderr and done.stdout == ""


def test_an_action_is_repeated_until_no_batch_follows(cli: Cli, service: tuple[str, type[Answers]]) -> None:
    url, answers = service
    following = iter(["1" * 32, None] * 2)

    def do_post(self: Answers) -> None:
        self.body = json.dumps({"messages": 2, "recipients": 3, "busy": 1, "next": next(following)}).encode()
        Answers.do_GET(self)

    answers.do_POST = do_post  # type: ignore[method-assign]
    done = cli("queue", "bounce", "--sender", "a@x.test", "--yes", "--reason", "no", QUEUE_URL=url, ADMIN_TOKEN="t")
    assert done.stdout == "recipients bounced: 6; being tried, left alone: 2\n"
    done = cli("queue", "hold", "--all", "--dry-run", "--json", QUEUE_URL=url, ADMIN_TOKEN="t")
    assert json.loads(done.stdout) == {"messages": 4, "recipients": 6, "busy": 2}
    assert [path for _, path, _ in answers.asked] == ["/v1/queue/actions"] * 4


def test_a_removal_that_another_finished_is_finished(cli: Cli, service: tuple[str, type[Answers]]) -> None:
    """The answer to the last step was lost, or two operators ran it: NotFound there is no refusal."""
    url, answers = service
    answers.body = b'{"id": "1", "address": "a@x.test", "removed": 3}'

    def do_delete(self: Answers) -> None:
        if self.path == "/v1/mailboxes/a@x.test":
            self.status, self.body = 404, b'{"detail": "nobody"}'
        Answers.do_GET(self)

    answers.do_DELETE = do_delete
    done = cli("mailbox", "rm", "a@x.test", "--yes", "--json", AUTH_URL=url, MAILSTORE_URL=url, ADMIN_TOKEN="t")
    assert json.loads(done.stdout) == {"address": "a@x.test", "id": "1", "removed": 3}
    assert [(method, path) for method, path, _ in answers.asked] == [
        ("POST", "/v1/mailboxes/a@x.test/disable"),
        ("DELETE", "/v1/mailboxes/1"),
        ("DELETE", "/v1/mailboxes/a@x.test"),
    ]


def test_help_loads_nothing_heavy() -> None:
    """It is shown within a moment: no HTTP client, no OpenSSL bindings, no launcher."""
    heavy = "{'aiohttp', 'cryptography', 'asyncpg', 'trustme', 'postrider.launcher'}"
    code = f"import sys, postrider.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
