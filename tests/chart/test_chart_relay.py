"""No combination of values makes an open relay (decision 9): the walk over all of them."""

import ipaddress
import itertools
from typing import Any

import pytest

from tests.chart.chart import Object, environment, kind, refusal, render, workloads

NETWORKS = {"podNetworks": ["10.244.0.0/16"], "nodeNetworks": ["192.168.10.0/24"]}
PROXIES = ["192.168.10.5", "2001:db8:1::/64"]
TYPES = ("LoadBalancer", "NodePort", "HostPort", "ClusterIP")
WALK = list(itertools.product(TYPES, ("Local", "Cluster"), (False, True), (False, True), (False, True)))


def assert_closed(objects: list[Object]) -> bool:
    """Raises when what is rendered could let strangers relay; True when OPEN-SMTP is on."""
    env = {service: environment(workload) for service, workload in workloads(objects).items()}
    edge = ("smtp-gateway", "pop-imap-frontend")
    # one answer everywhere: who gives grants and who honours them agree
    assert len({env[service]["POSTRIDER_OPEN_SMTP"] for service in ("auth", *edge)}) == 1
    assert len({env[service].get("POSTRIDER_TRUSTED_PROXIES") for service in ("auth", *edge)}) == 1
    assert all("POSTRIDER_OPEN_SMTP" not in env[service] for service in ("mailstore", "queue-worker"))
    proxies = env["auth"].get("POSTRIDER_TRUSTED_PROXIES", "")
    for network in [*proxies.split(","), *env["auth"].get("POSTRIDER_GRANT_ALLOW_NETWORKS", "").split(",")]:
        assert not network or ipaddress.ip_network(network).prefixlen >= 8
    # pods and nodes are never granted relaying, whatever is on
    deny = env["auth"]["POSTRIDER_GRANT_DENY_NETWORKS"].split(",")
    assert {"10.244.0.0/16", "192.168.10.0/24"} <= set(deny)
    # and no mail is ever sent to them
    assert set(deny) <= set(env["queue-worker"]["POSTRIDER_REMOTE_DENY_NETWORKS"].split(","))
    # the settings that move grants are the chart's alone
    for service in edge:
        assert ("POSTRIDER_DIRECT_PORT_OFFSET" in env[service]) is bool(proxies)
    public = [each for each in kind(objects, "Service").values() if each["metadata"]["name"].endswith("-public")]
    endpoints = [
        each
        for each in kind(objects, "Service").values()
        if "smtp" in str(each["spec"]["ports"]) and each not in public
    ]
    for service in public:  # outside clients come through the listeners that insist on PROXY, where it is on
        assert not [port for port in service["spec"]["ports"] if port["targetPort"].startswith("d-")]
    for service in endpoints:  # clients inside speak none
        mail = [port["targetPort"] for port in service["spec"]["ports"] if port["name"] not in ("http", "metrics")]
        assert all(target.startswith("d-") is bool(proxies) for target in mail)
    if env["auth"]["POSTRIDER_OPEN_SMTP"] == "false":
        return False
    assert env["auth"]["POSTRIDER_OPEN_SMTP"] == "true"
    if not proxies:  # the client's own address has to arrive by itself
        for service in public:
            assert service["spec"]["type"] in ("LoadBalancer", "NodePort")
            assert service["spec"]["externalTrafficPolicy"] == "Local"
        if not public:
            ports = [
                port
                for workload in workloads(objects).values()
                if workload["kind"] == "DaemonSet"
                for port in workload["spec"]["template"]["spec"]["containers"][0]["ports"]
                if port["name"] not in ("http", "metrics")
            ]
            assert len(ports) == 7 and all("hostPort" in port for port in ports)
    return True


@pytest.mark.parametrize(("type_", "policy", "proxy", "wanted", "allow"), WALK)
def test_no_combination_is_an_open_relay(type_: str, policy: str, proxy: bool, wanted: bool, allow: bool) -> None:
    values: dict[str, Any] = {
        "exposure": {"type": type_, "externalTrafficPolicy": policy},
        "proxyProtocol": {"enabled": proxy, "trustedProxies": PROXIES},
        "openSmtp": {"enabled": wanted},
        "network": NETWORKS | {"grantAllowNetworks": ["10.20.0.0/16"] if allow else []},
    }
    seen = proxy or type_ == "HostPort" or (type_ != "ClusterIP" and policy == "Local")
    assert assert_closed(render(**values)) is (wanted and seen)


@pytest.mark.parametrize("missing", ["podNetworks", "nodeNetworks"])
@pytest.mark.parametrize("wanted", [True, False])
def test_without_the_clusters_networks_there_is_no_install(missing: str, wanted: bool) -> None:
    said = refusal(network=NETWORKS | {missing: []}, openSmtp={"enabled": wanted})
    assert f"network.{missing}:" in said and "granted relaying" in said


@pytest.mark.parametrize(
    "name",
    [
        "OPEN_SMTP",
        "REMOTE_DENY_NETWORKS",
        "GRANT_DENY_NETWORKS",
        "GRANT_DENY_FILE",
        "GRANT_ALLOW_NETWORKS",
        "TRUSTED_PROXIES",
        "DIRECT_PORT_OFFSET",
        "INTERNAL_SUBMISSION_PORT",
        "INTERNAL_IMAPS_PORT",
    ],
)
def test_settings_that_decide_who_may_relay_have_one_place(name: str) -> None:
    assert f"additional properties '{name}' not allowed" in refusal(settings={name: "0.0.0.0/0"})
    for place in ("extraEnv", "auth__extraEnv", "smtpGateway__extraEnv", "popImapFrontend__extraEnv"):
        said = refusal(**{place: [{"name": f"POSTRIDER_{name}", "value": "x"}]})
        assert f"extraEnv: POSTRIDER_{name} is a setting of the product" in said


@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/7", "2000::/3", "mail.example.net", "10.0.0.0/33"]
)
@pytest.mark.parametrize("place", ["proxyProtocol__trustedProxies", "network__grantAllowNetworks"])
def test_half_the_world_is_no_proxy_and_no_office(place: str, network: str) -> None:
    said = refusal(**{place: [network]})
    assert f"/{place.replace('__', '/')}/0" in said and "does not match pattern" in said


def test_the_notes_say_when_open_smtp_is_off() -> None:
    from tests.chart.chart import run

    def notes(ci: str) -> str:
        done = run("install", "postrider", ".", "--dry-run=client", "--values", f"ci/{ci}", "--output", "json")
        return done.stdout + done.stderr

    off = notes("cluster-policy-values.yaml")
    assert "OPEN-SMTP is switched off" in off and "share one database user" in off
    on = notes("proxy-values.yaml")
    assert "OPEN-SMTP is switched off" not in on and "bundled Postgres is for trying things" in on


def test_networks_many_people_share_hold_no_grant() -> None:
    objects = render(network={**NETWORKS, "grantDenyNetworks": ["203.0.113.0/24"]})
    deny = environment(workloads(objects)["auth"])["POSTRIDER_GRANT_DENY_NETWORKS"].split(",")
    assert set(deny) == {"10.244.0.0/16", "192.168.10.0/24", "203.0.113.0/24"}


def test_a_list_of_shared_clouds_is_mounted_where_auth_reads_it() -> None:
    objects = workloads(render(network={**NETWORKS, "grantDenyConfigMap": "clouds"}))
    (container,) = objects["auth"]["spec"]["template"]["spec"]["containers"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "grant-networks"]
    assert environment(objects["auth"])["POSTRIDER_GRANT_DENY_FILE"] == f"{mount['mountPath']}/networks"
    volumes = {each["name"]: each for each in objects["auth"]["spec"]["template"]["spec"]["volumes"]}
    assert volumes["grant-networks"]["configMap"]["name"] == "clouds"
    assert "clouds" not in str(objects["smtp-gateway"])
    assert "GRANT_DENY_FILE" not in str(workloads(render(network=NETWORKS))["auth"])
