"""2: a balancer that speaks PROXY v2 in front (Debian's HAProxy, outside, towards NodePorts).

The client's address comes from the header, from the listed balancer only: a connection without one, from elsewhere,
or with a header a pod made up, is refused and gives no grant.
"""

import json
import shutil
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.kit import config
from tests.cluster.kit.build import install
from tests.cluster.kit.node import Cluster
from tests.cluster.test_01_install import AWAY, pop3, smtp, subjects
from tests.cluster.world import HOME, OFFICE, STRANGER, Balancer, Release
from tests.support.clients import refusal
from tests.support.mail import message
from tests.support.run import Account, wait_for

pytestmark = pytest.mark.own_cluster

BALANCER = STRANGER  # the balancer's own address


class Proxied(Release):
    """Clients dial the balancer."""

    def address(self, component: str) -> str:
        return BALANCER

    def node_port(self, name: str) -> int:
        ports = [port for item in self.objects("services") for port in item["spec"]["ports"] if "nodePort" in port]
        return next(int(port["nodePort"]) for port in ports if port["name"] == name)


@pytest.fixture(scope="module")
def proxied(cluster: Cluster, balancer: Balancer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    if not shutil.which("haproxy"):
        install("haproxy")
    made = Proxied(cluster, balancer, namespace="proxied")
    made.install(
        "--set",
        "exposure.type=NodePort",
        "--set",
        "proxyProtocol.enabled=true",
        "--set",
        f"proxyProtocol.trustedProxies={{{BALANCER}/32}}",
    )
    text = "defaults\n mode tcp\n timeout connect 5s\n timeout client 5m\n timeout server 5m\n"
    for name, port in {"smtp": 25, "submission": 587, "smtps": 465, "pop3": 110, "imaps": 993}.items():
        text += f"listen {name}\n bind {BALANCER}:{port}\n source {BALANCER}\n"
        text += f" server node {config.NODE_ADDRESS}:{made.node_port(name)} send-proxy-v2\n"
    file: Path = tmp_path_factory.mktemp("haproxy") / "haproxy.cfg"
    file.write_text(text)
    process = subprocess.Popen(cluster.as_client("haproxy", "-db", "-f", str(file)))
    try:
        yield made
    finally:
        process.terminate()
        process.wait()
        made.uninstall()


@pytest.fixture
def customer(proxied: Proxied) -> Account:
    made = Account("anna@proxied.example", "a-long-password")
    if not proxied.admin("GET", "auth", "domains"):
        proxied.admin("POST", "auth", "domains", {"name": made.domain})
        proxied.admin("POST", "auth", "mailboxes", {"address": made.address, "password": made.password})
    return made


def test_grants_are_for_the_address_in_the_header(proxied: Proxied, customer: Account) -> None:
    def journey() -> None:
        client = wait_for(lambda: _connected(proxied), 20, "the balancer")
        text = message("friend@elsewhere.example", customer.address, subject="through the balancer")
        client.sendmail("friend@elsewhere.example", [customer.address], text)
        client.quit()
        wait_for(lambda: subjects(proxied, customer) == ["through the balancer"], 30)
        pop3(proxied, customer, OFFICE).quit()

        def granted() -> bool:
            client = smtp(proxied, OFFICE)
            client.mail(customer.address)
            code, _ = client.rcpt(AWAY)
            client.quit()
            return code == 250

        wait_for(granted, 10)

    proxied.outside(journey)
    grants = proxied.admin("GET", "auth", f"grants?mailbox={customer.address}")
    # HOME logged in by IMAP, OFFICE by POP3; the balancer's address is nobody's
    assert {grant["address"] for grant in grants} == {HOME, OFFICE}, grants

    def other() -> None:
        client = smtp(proxied, BALANCER)
        client.mail(customer.address)
        assert refusal(client.rcpt, AWAY).startswith("5")
        client.quit()

    proxied.outside(other)


def _connected(release: Proxied) -> smtplib.SMTP | None:
    try:
        return smtp(release, HOME)
    except OSError:
        return None


@pytest.mark.parametrize("source", [HOME, BALANCER])
@pytest.mark.parametrize("name", ["smtp", "submission", "pop3"])
def test_without_a_header_there_is_no_service(proxied: Proxied, source: str, name: str) -> None:
    port = proxied.node_port(name)

    def answer() -> bytes:
        """What a client that sends its first command without a header is told, to the end of the connection."""
        with socket.create_connection((config.NODE_ADDRESS, port), 15, source_address=(source, 0)) as raw:
            raw.sendall(b"EHLO client.test\r\n" if name != "pop3" else b"CAPA\r\n")
            said = b""
            try:
                while chunk := raw.recv(4096):
                    said += chunk
            except ConnectionResetError:
                pass
            return said

    said = proxied.outside(answer)
    assert not said.startswith((b"220", b"+OK")), said
    print(f"{name} from {source}: {said!r}")


def test_a_header_that_a_pod_makes_up_is_refused(proxied: Proxied, customer: Account) -> None:
    script = (
        "import socket,sys,json\n"
        "out=[]\n"
        "for host,port in json.loads(sys.argv[1]):\n"
        "    try:\n"
        "        s=socket.create_connection((host,port),10)\n"
        f"        s.sendall(b'PROXY TCP4 {OFFICE} 10.0.0.1 4000 25\\r\\nEHLO x\\r\\n')\n"
        "        said=b''\n"
        "        try:\n"
        "            while c:=s.recv(4096): said+=c\n"
        "        except ConnectionResetError: pass\n"
        "        out.append(said.decode())\n"
        "    except OSError as e: out.append(str(e))\n"
        "print(json.dumps(out))\n"
    )
    (gateway,) = proxied.pods("smtp-gateway")
    public = json.loads(proxied.kubectl("get", "service", f"{proxied.prefix}-smtp-gateway-public", "-o", "json"))
    targets = [(gateway["status"]["podIP"], 2525), (public["spec"]["clusterIP"], 25)]
    command = ["exec", f"deployment/{proxied.prefix}-pop-imap-frontend", "--", "python", "-c", script]
    for said in json.loads(proxied.kubectl(*command, json.dumps(targets))):
        assert not said.startswith("220"), said
        print(f"a pod's header: {said!r}")


def test_direct_ports_give_no_grants(proxied: Proxied, customer: Account) -> None:
    print(proxied.helm("test", "--logs", "--timeout", "3m"))
