"""The network policies are exactly the arrows of services/README.md and the few that the issue of the chart adds."""

import re
from typing import Any

import pytest

from postrider.launcher.plan import DATABASE_OWNERS, MAIL_PORTS, SERVICES
from tests.chart.chart import CI, ROOT, Object, kind, pods, render

Arrow = tuple[str, str, int]  # from, to, port
METRICS = 8009
PUBLIC = {"smtp-gateway": ("SMTP", "SMTPS", "SUBMISSION"), "pop-imap-frontend": ("POP3", "POP3S", "IMAP", "IMAPS")}


def arrows() -> set[tuple[str, str]]:
    text = (ROOT / "services" / "README.md").read_text().partition("## Who calls whom")[2]
    return {(a, b) for a, b in re.findall(r"^\| ([a-z-]+) \| ([a-z-]+) \|$", text, re.M) if a not in ("caller", "---")}


def component(labels: dict[str, str]) -> str:
    return labels["app.kubernetes.io/component"]


def said(objects: list[Object], direction: str) -> set[Arrow]:
    """What the policies allow in one direction, named ports as numbers; outsiders by what selects them."""
    numbers = {
        (name.partition("/postrider-")[2], port["name"]): port["containerPort"]
        for name, spec in pods(objects).items()
        for port in spec["containers"][0].get("ports", [])
    }
    found: set[Arrow] = set()
    for policy in kind(objects, "NetworkPolicy").values():
        own = component(policy["spec"]["podSelector"]["matchLabels"])
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for rule in policy["spec"].get(direction, []):
            peers = [_peer(peer) for peer in rule.get("to" if direction == "egress" else "from", [])] or ["anywhere"]
            for peer in peers:
                target = own if direction == "ingress" else peer
                for port in rule["ports"]:
                    number = port["port"] if isinstance(port["port"], int) else numbers[target, port["port"]]
                    arrow = (peer, own, number) if direction == "ingress" else (own, peer, number)
                    found.add(arrow)
    return found


def _peer(peer: dict[str, Any]) -> str:
    if "podSelector" in peer:
        assert set(peer) == {"podSelector"}
        return component(peer["podSelector"]["matchLabels"])
    return str(peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])


def inner() -> set[Arrow]:
    """Between the release's own pods: the seven arrows, and the test pod's ports."""
    calls = {(caller, callee, SERVICES[callee][0]) for caller, callee in arrows()}
    assert len(calls) == 7
    return calls | {("test", service, SERVICES[service][0]) for service in ("auth", "mailstore")}


def public(offset: int) -> set[Arrow]:
    return {("anywhere", service, MAIL_PORTS[name] + offset) for service, names in PUBLIC.items() for name in names}


def test_bundled() -> None:
    objects = render("two-core-values.yaml")
    database = {(owner, "postgres", 5432) for owner in (*DATABASE_OWNERS, "migrate")}
    metrics = {("monitoring", service, METRICS) for service in SERVICES}
    assert said(objects, "ingress") == inner() | public(0) | metrics | database
    mail = {("test", service, port) for _, service, port in public(0)}
    dns = {(each, "anywhere", 53) for each in (*SERVICES, "migrate", "test")}
    assert said(objects, "egress") == inner() | database | mail | dns | {
        ("queue-worker", "anywhere", port) for port in (25, 443)
    }


def test_a_database_elsewhere_and_features_that_are_on() -> None:
    objects = render("existing-database-values.yaml")
    database = {(owner, "database", 5433) for owner in (*DATABASE_OWNERS, "migrate")}
    mail = {("test", service, port) for _, service, port in public(0)}
    dns = {(each, "anywhere", 53) for each in (*SERVICES, "migrate", "test")}
    remote = {("queue-worker", "anywhere", port) for port in (25, 443, 2525)}
    scanner = {("smtp-gateway", "anywhere", 11333)}
    old_hosts = {(each, "anywhere", port) for each in ("auth", "pop-imap-frontend") for port in (993, 995)}
    store = {(each, "anywhere", 8333) for each in ("mailstore", "queue-worker")}
    assert said(objects, "egress") == inner() | database | mail | dns | remote | scanner | old_hosts | store
    assert "postrider-postgres" not in kind(objects, "NetworkPolicy")


def test_proxy_opens_the_direct_ports_beside_the_public_ones() -> None:
    objects = render("proxy-values.yaml")
    mail = {arrow for arrow in said(objects, "ingress") if arrow[0] == "anywhere"}
    assert mail == public(0) | public(10000)
    tested = {arrow for arrow in said(objects, "egress") if arrow[0] == "test" and arrow[1] in PUBLIC}
    assert tested == {("test", service, port) for _, service, port in public(10000)}


def test_keda_reads_what_it_scales() -> None:
    seen = {arrow for arrow in said(render("scaling-values.yaml"), "ingress") if arrow[0] == "keda"}
    assert seen == {("keda", s, METRICS) for s in ("queue-worker", "smtp-gateway", "pop-imap-frontend")}


def test_another_remote_port_is_let_out() -> None:
    out = said(render(settings={"REMOTE_SMTP_PORT": 2526}), "egress")
    assert {arrow for arrow in out if arrow[:2] == ("queue-worker", "anywhere")} == {
        ("queue-worker", "anywhere", 53),
        ("queue-worker", "anywhere", 443),
        ("queue-worker", "anywhere", 2526),
    }


def test_a_collector_is_reached_by_those_that_record_spans() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tracing"}}}
    policies = {"networkPolicies": {"collectorTo": [peer]}}
    assert not {arrow for arrow in said(render(**policies), "egress") if arrow[1] == "tracing"}
    out = said(render(**policies, settings={"OTLP_ENDPOINT": "http://collector.tracing:4318"}), "egress")
    assert {arrow for arrow in out if arrow[1] == "tracing"} == {
        (service, "tracing", 4318) for service in ("smtp-gateway", "queue-worker", "mailstore")
    }


def test_named_dns_servers_are_reached_on_their_ports() -> None:
    out = said(render(settings={"DNS_SERVERS": ["192.0.2.53", "192.0.2.54:5353", "[2001:db8::53]:1053"]}), "egress")
    gateway = {port for source, target, port in out if (source, target) == ("smtp-gateway", "anywhere")}
    assert gateway == {53, 5353, 1053}


@pytest.mark.parametrize("ci", CI)
def test_every_pod_has_one_policy(ci: str) -> None:
    objects = render(ci)
    guarded = [component(p["spec"]["podSelector"]["matchLabels"]) for p in kind(objects, "NetworkPolicy").values()]
    there = {*SERVICES, "migrate", "test"} | ({"postgres"} if kind(objects, "StatefulSet") else set())
    assert sorted(guarded) == sorted(there)


def test_without_anybody_to_read_the_metrics_the_ports_are_open_to_nobody() -> None:
    """A rule without peers is a rule for everybody."""
    seen = said(render(networkPolicies__metricsFrom=[]), "ingress")
    assert {arrow for arrow in seen if arrow[0] == "anywhere"} == public(0)
    assert not {arrow for arrow in seen if arrow[2] == METRICS}


def test_they_can_be_left_out() -> None:
    assert kind(render(networkPolicies={"enabled": False}), "NetworkPolicy") == {}
