"""Debian's Thunderbird without a window, driven through Marionette: JSON in length-prefixed packets over one connection.

Scripts run in Thunderbird itself, with the interfaces by which its own windows read and change mail.
"""

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.support.run import Account, Run, wait_for

#: A proxy on a closed port for all but loopback: nothing leaves this machine.
_PREFERENCES = """\
user_pref("marionette.port", {port});
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
user_pref("network.proxy.socks", "127.0.0.1");
user_pref("network.proxy.socks_port", 9);
user_pref("network.proxy.socks_remote_dns", true);
user_pref("network.proxy.no_proxies_on", "localhost, 127.0.0.1");
user_pref("network.manage-offline-status", false);
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("mail.server.default.use_condstore", true);
user_pref("app.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"""
#: What every script may use: the account's server, a folder by its path, a copy listener, and a wait for a condition.
_PRELUDE = """\
const [args, done] = [Array.from(arguments).slice(0, -1), arguments[arguments.length - 1]];
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = () => MailServices.accounts.allServers.find(each => each.type == "imap");
const folder = name => server().rootFolder.descendants.find(each => each.name.toLowerCase() == name.toLowerCase());
const messages = box => Array.from(box.msgDatabase.enumerateMessages());
const message = (box, subject) => messages(box).find(each => each.mime2DecodedSubject == subject);
const ended = begin => new Promise((resolve, reject) => begin({
    QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener"]),
    onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; }, OnStartRunningUrl() {},
    OnStopRunningUrl(url, status) { status ? reject(Error("URL ended with " + status)) : resolve(); },
    onStopCopy(status) { status ? reject(Error("copy ended with " + status)) : resolve(); },
}));
(async () => { %s })().then(value => done({value}), error => done({error: String(error) + error.stack}));
"""
_ADD_ACCOUNT = """
const [address, password, imaps, smtps, ca] = args;
Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(ca, "CT,,");
const incoming = MailServices.accounts.createIncomingServer(address, "localhost", "imap");
[incoming.port, incoming.socketType, incoming.authMethod] = [imaps, Ci.nsMsgSocketType.SSL, Ci.nsMsgAuthMethod.passwordCleartext];
incoming.valid = true;
const outgoing = MailServices.outgoingServer.createServer("smtp");
const smtp = outgoing.QueryInterface(Ci.nsISmtpServer);
[smtp.hostname, smtp.port] = ["localhost", smtps];
[outgoing.username, outgoing.socketType, outgoing.authMethod] = [address, Ci.nsMsgSocketType.SSL, Ci.nsMsgAuthMethod.passwordCleartext];
const identity = MailServices.accounts.createIdentity();
[identity.email, identity.smtpServerKey] = [address, outgoing.key];
const account = MailServices.accounts.createAccount();
account.incomingServer = incoming;
account.addIdentity(identity);
MailServices.accounts.defaultAccount = account;
outgoing.password = password;
"""


class Thunderbird:
    """A running Thunderbird with the profile in `home`, which is made at the first start. Failed steps raise AssertionError."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (home / "user.js").write_text(_PREFERENCES.format(port=port))
        command = ["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote"]
        with open(home / "thunderbird.log", "ab") as log:
            self._process = subprocess.Popen(
                [*command, "--profile", str(home)],
                env=os.environ | {"HOME": str(home)},
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent(),
            )
        self._calls = 0
        try:
            self._stream = wait_for(lambda: self._dial(port), 60, f"Thunderbird answers: {home}/thunderbird.log")
            self._read()  # the greeting
            self.version: str = self._call("WebDriver:NewSession")["capabilities"]["browserVersion"]
            self._call("Marionette:SetContext", value="chrome")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave as a user does; the profile stays."""
        try:
            if self._process.poll() is None and hasattr(self, "_stream"):
                self._call("Marionette:Quit", flags=["eAttemptQuit"])
                self._process.wait(patient(60))
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def add_account(self, run: Run, account: Account, imaps: int) -> None:
        """Set up a mailbox as the dialog for accounts does: IMAP with TLS on port `imaps`, submission with TLS, both by password."""
        certificate = "".join(line for line in Path(run.ca_file).read_text().splitlines() if "-----" not in line)
        self.run(_ADD_ACCOUNT, account.address, account.password, imaps, run.port("SMTPS"), certificate)
        self.log_in(account)

    def log_in(self, account: Account) -> None:
        """Give the mailbox's password, as in the dialog that asks for it once in each session, and list the folders."""
        self.run("server().password = args[0]; server().performExpand(null)", account.password)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of an asynchronous JavaScript function, with its arguments in `args`, and return its value."""
        milliseconds = int(patient(60) * 1000)
        answer = self._call(
            "WebDriver:ExecuteAsyncScript",
            script=_PRELUDE % script,
            args=list(arguments),
            sandbox="system",
            scriptTimeout=milliseconds,
        )["value"]
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def wait(self, script: str, why: str, *arguments: Any) -> None:
        """Wait until an expression is true; one that cannot be evaluated yet counts as false."""
        attempt = f"try {{ return Boolean({script}); }} catch (error) {{ return false; }}"
        wait_for(lambda: self.run(attempt, *arguments), 60, f"{why}: {script}")

    def _call(self, name: str, **parameters: Any) -> Any:
        self._calls += 1
        packet = json.dumps([0, self._calls, name, parameters]).encode()
        self._stream.write(b"%d:%b" % (len(packet), packet))
        self._stream.flush()
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def _read(self) -> Any:
        length = bytearray()
        while (octet := self._stream.read(1)) != b":":
            assert octet, "Thunderbird closed the connection"
            length += octet
        return json.loads(self._stream.read(int(length)))

    def _dial(self, port: int) -> Any:
        assert self._process.poll() is None, "Thunderbird ended"
        try:
            return socket.create_connection(("127.0.0.1", port), patient(90)).makefile("rwb")
        except OSError:
            return None
