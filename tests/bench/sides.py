"""The two services under measurement, with the same face."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import psutil
import trustme

from tests.bench.fill import fill_maildir, fill_postrider, indexed
from tests.bench.mail import texts
from tests.bench.senders import deliver, tool
from tests.bench.sinks import CountingSink
from tests.support.clients import imap
from tests.support.run import Run, program, wait_for
from tests.support.world import World

BOXES = 100
READERS = ("popper", "reader", "waiter", "large")
NOBODY = 65534
QUOTA = 2048 * 1024 * 1024


class Side(Protocol):
    """What the bench has to know of a service."""

    name: str
    smtp_port: int
    imap_port: int
    pop3_port: int
    sender: str
    far: str
    sink: CountingSink

    def boxes(self) -> list[str]:
        """Addresses of the hundred mailboxes."""

    def reader(self, name: str) -> tuple[str, str, str, str]:
        """Address, IMAP login, POP3 login and password of a new mailbox, one of READERS."""

    def filled(self, name: str, count: int) -> tuple[str, str, str, str]:
        """The same with `count` messages of `mail` in its INBOX."""

    def index_texts(self, count: int) -> None:
        """Wait until the texts of `count` messages are in the index of texts, if the service has one."""

    def queue_empty(self) -> bool:
        """Whether everything accepted is filed or relayed."""

    def processes(self) -> Iterable[tuple[str, psutil.Process]]:
        """All processes with the name their memory is counted under."""


class Postrider:
    """A whole run of this repository."""

    def __init__(self, run: Run, sink: CountingSink, name: str, *, text_index: bool) -> None:
        self.run, self.sink, self.name, self.text_index = run, sink, name, text_index
        self.smtp_port, self.imap_port, self.pop3_port = run.port("SMTP"), run.port("IMAP"), run.port("POP3")
        self.domain = run.domain()
        user = run.mailbox(self.domain)
        self.sender, self.far = user.address, "x@far.example"
        imap(run, user).logout()  # the grant that lets this address relay

    def boxes(self) -> list[str]:
        return [self.run.mailbox(self.domain, f"box{number}", quota=QUOTA).address for number in range(BOXES)]

    def reader(self, name: str) -> tuple[str, str, str, str]:
        account = self.run.mailbox(self.domain, name, quota=QUOTA)
        return account.address, account.address, account.login, account.password

    def filled(self, name: str, count: int) -> tuple[str, str, str, str]:
        account = self.run.mailbox(self.domain, name, quota=QUOTA)
        deliver(self.smtp_port, account.address, texts(count))
        wait_for(self.queue_empty, 300, "the queue is empty")
        asyncio.run(fill_postrider(self.run.dsn, self.run.mailbox_id(account), count))
        return account.address, account.address, account.login, account.password

    def index_texts(self, count: int) -> None:
        if self.text_index:
            wait_for(lambda: asyncio.run(indexed(self.run.dsn)) >= count, 1200, "the texts are indexed")

    def queue_empty(self) -> bool:
        return bool(self.run.api("GET", "queue", "/v1/queue?limit=1") == [])

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        assert self.run.process is not None
        for process in (psutil.Process(self.run.process.pid), *self.run.processes()):
            with contextlib.suppress(psutil.Error):
                if name := program(process.cmdline()):
                    yield name, process


@contextlib.contextmanager
def postrider(python: str = sys.executable, name: str = "postrider", *, text_index: bool = False) -> Iterator[Side]:
    """A started run with a fast host at far.example; `python`: the interpreter of the clone that is measured."""
    with World() as world, CountingSink(world.address(), world.smtp_port) as sink:
        world.dns.set("mx.far.example", A=[sink.address])
        run = Run(
            None,
            python=python,
            **world.settings(),
            LIMIT_EXEMPT_NETWORKS="127.0.0.0/8",
            POP3_LOGIN_DELAY_SECONDS="0",
            RECIPIENTS_PER_HOUR="0",
            MAILBOX_MESSAGES="2000000",
            **({"TEXT_INDEX": "true"} if text_index else {}),
        )
        try:
            run.start()
            yield Postrider(run, sink, name, text_index=text_index)
        finally:
            run.close()
            shutil.rmtree(run.state, ignore_errors=True)


class PostfixDovecot:
    """Debian's Postfix and Dovecot with folders and ports of their own; Postfix's own agent files into Maildirs."""

    name = "other"
    sender = "a@far.example"
    far = "x@far.example"

    def __init__(self, folder: Path, sink: CountingSink) -> None:
        self.folder, self.sink = folder, sink
        self.smtp_port, self.imap_port, self.pop3_port = (free_port() for _ in range(3))
        self.queue = folder / "queue"
        self.mail = folder / "mail"
        self.dovecot: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write both configurations and start both."""
        for place in ("etc", "queue", "data", "mail", "run", "state"):
            (self.folder / place).mkdir()
        os.chown(self.mail, NOBODY, NOBODY)
        shutil.chown(self.folder / "data", "postfix", "postfix")
        self._write_postfix()
        self._write_dovecot()
        self._postfix("start")
        self.dovecot = subprocess.Popen(
            [str(tool("dovecot")), "-F", "-c", str(self.folder / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _write_postfix(self) -> None:
        etc = self.folder / "etc"
        names = [*(f"box{number}" for number in range(BOXES)), *READERS]
        (etc / "boxes").write_text("".join(f"{name}@bench.test {name}/\n" for name in names))
        (etc / "main.cf").write_text(
            f"""compatibility_level = 3.6
queue_directory = {self.queue}
data_directory = {self.folder / "data"}
maillog_file = {self.folder / "postfix.log"}
maillog_file_prefixes = {self.folder}
myhostname = mx.bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_peername_lookup = no
alias_maps =
alias_database =
relayhost = [{self.sink.address}]:{self.sink.port}
virtual_mailbox_domains = bench.test
virtual_mailbox_maps = texthash:{etc / "boxes"}
virtual_mailbox_base = {self.mail}
virtual_uid_maps = static:{NOBODY}
virtual_gid_maps = static:{NOBODY}
virtual_mailbox_limit = 0
mailbox_size_limit = 0
"""
        )
        rows = [f"127.0.0.1:{self.smtp_port} inet n - n - - smtpd"]
        unix = {
            "cleanup": "unix n - n - 0",
            "qmgr": "unix n - n 300 1",
            "tlsmgr": "unix - - n 1000? 1",
            "pickup": "unix n - n 60 1",
            "rewrite": "unix - - n - - trivial-rewrite",
            "bounce": "unix - - n - 0",
            "defer": "unix - - n - 0 bounce",
            "trace": "unix - - n - 0 bounce",
            "verify": "unix - - n - 1",
            "flush": "unix n - n 1000? 0",
            "proxymap": "unix - - n - -",
            "proxywrite": "unix - - n - 1 proxymap",
            "smtp": "unix - - n - -",
            "relay": "unix - - n - - smtp",
            "showq": "unix n - n - -",
            "error": "unix - - n - -",
            "retry": "unix - - n - - error",
            "discard": "unix - - n - -",
            "local": "unix - n n - -",
            "virtual": "unix - n n - -",
            "anvil": "unix - - n - 1",
            "scache": "unix - - n - 1",
            "postlog": "unix-dgram n - n - 1 postlogd",
        }
        for name, rest in unix.items():
            words = rest.split()
            rows.append(" ".join([name, *words] if len(words) == 7 else [name, *words, name]))
        (etc / "master.cf").write_text("\n".join(rows) + "\n")

    def _write_dovecot(self) -> None:
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost")
        leaf.private_key_pem.write_to_path(self.folder / "key.pem")
        leaf.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
        (self.folder / "dovecot.conf").write_text(
            f"""base_dir = {self.folder / "run"}
state_dir = {self.folder / "state"}
log_path = {self.folder / "dovecot.log"}
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{self.folder / "cert.pem"}
ssl_key = <{self.folder / "key.pem"}
mail_location = maildir:{self.mail}/%n
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 0
passdb {{
  driver = static
  args = password=bench
}}
userdb {{
  driver = static
  args = uid={NOBODY} gid={NOBODY} home={self.mail}/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""
        )

    def _postfix(self, word: str) -> None:
        done = subprocess.run(
            [str(tool("postfix")), "-c", str(self.folder / "etc"), word],
            capture_output=True,
            text=True,
            timeout=30,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        if done.returncode and word == "start":
            raise RuntimeError(f"postfix {word}: {done.stderr}\n{self.log()}")

    def log(self) -> str:
        file = self.folder / "postfix.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-15:]) if file.exists() else ""

    def stop(self) -> None:
        """Both are gone afterwards."""
        children = [process for _, process in self.processes()]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self._postfix("stop")
        if self.dovecot is not None:
            self.dovecot.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.dovecot.wait(5)
        for process in psutil.wait_procs(children, 5)[1]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self.dovecot is not None:
            self.dovecot.wait(5)

    def boxes(self) -> list[str]:
        return [f"box{number}@bench.test" for number in range(BOXES)]

    def reader(self, name: str) -> tuple[str, str, str, str]:
        return f"{name}@bench.test", name, name, "bench"

    def filled(self, name: str, count: int) -> tuple[str, str, str, str]:
        fill_maildir(self.mail / name, texts(count), count, NOBODY)
        return self.reader(name)

    def index_texts(self, count: int) -> None:
        """Debian's Dovecot has none."""

    def queue_empty(self) -> bool:
        """No file in the queues whose messages are under way."""
        for part in ("maildrop", "incoming", "active", "deferred"):
            for _, _, files in os.walk(self.queue / part):
                if files:
                    return False
        return True

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        heads: list[tuple[str, int]] = []
        pid = self.queue / "pid" / "master.pid"
        if pid.exists() and pid.read_text().strip():
            heads.append(("postfix", int(pid.read_text())))
        if self.dovecot is not None:
            heads.append(("dovecot", self.dovecot.pid))
        for name, head in heads:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(head)
                for each in [process, *process.children(recursive=True)]:
                    yield name, each


def installed() -> str:
    """Why there is nothing to compare with; empty when there is."""
    missing = [name for name in ("postfix", "dovecot", "smtp-sink") if tool(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "Postfix starts only for root"


@contextlib.contextmanager
def postfix_dovecot() -> Iterator[Side]:
    """Both started, with the same kind of host behind."""
    with tempfile.TemporaryDirectory(prefix="postrider-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with CountingSink("127.0.0.1", free_port()) as sink:
            side = PostfixDovecot(folder, sink)
            try:
                side.start()
                yield side
            finally:
                side.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
