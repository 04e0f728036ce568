"""What every way of using the chart has in common: it renders, lints, and its pods are as restricted as they can be."""

import re
import subprocess
import sys

import pytest

from mailkit.net.tls_versions import MAILBOX_LISTENERS, SMTP_LISTENERS, VERSIONS, tls_minimums
from mailkit.process.config import KNOWN_NAMES
from postrider.launcher.plan import DATABASE_OWNERS, MAIL_PORTS, SECRET_NAMES, SERVICES, TOKENS
from tests.chart.chart import CHART, CI, ROOT, containers, environment, kind, pods, render, run, workloads

MAIL_LISTENERS = SMTP_LISTENERS + MAILBOX_LISTENERS
ROWS = pytest.mark.parametrize("ci", CI)


@ROWS
def test_helm_lint_has_nothing_to_say(ci: str) -> None:
    done = run("lint", "--strict", ".", "--values", f"ci/{ci}")
    assert done.returncode == 0, done.stdout + done.stderr


@ROWS
def test_five_workloads_and_their_services(ci: str) -> None:
    objects = render(ci)
    assert set(workloads(objects)) == set(SERVICES)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))
    endpoints = {name: each for name, each in kind(objects, "Service").items() if each["spec"].get("type") is None}
    for service, (port, _, _) in SERVICES.items():
        (endpoint,) = [each for name, each in endpoints.items() if name.endswith(f"-{service}")]
        assert endpoint["spec"]["ports"][0] == {"name": "http", "port": port, "targetPort": "http"}
        assert endpoint["spec"]["ports"][1] == {"name": "metrics", "port": 8009, "targetPort": "metrics"}


@ROWS
def test_everything_is_in_the_release_namespace_and_labelled(ci: str) -> None:
    for each in render(ci):
        assert each["metadata"]["namespace"] == "mail", each["metadata"]["name"]
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == "postrider"


@ROWS
def test_selectors_and_services_find_their_pods(ci: str) -> None:
    objects = render(ci)
    labels = [
        each["spec"]["template"]["metadata"]["labels"]
        for each in kind(objects, "Deployment", "DaemonSet", "StatefulSet").values()
    ]
    wanted = [each["spec"]["selector"] for each in kind(objects, "Service").values()]
    wanted += [each["spec"]["selector"]["matchLabels"] for each in kind(objects, "PodDisruptionBudget").values()]
    for selector in wanted:
        assert len([found for found in labels if selector.items() <= found.items()]) == 1, selector


@ROWS
def test_pods_are_restricted(ci: str) -> None:
    """Pod Security's `restricted`, the bundled Postgres and the test pod too; host ports are the edge's own exception."""
    for name, spec in pods(render(ci)).items():
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        assert {key for volume in spec["volumes"] for key in volume} <= {
            "name",
            "emptyDir",
            "secret",
            "configMap",
            "projected",
            "persistentVolumeClaim",
        }
        for container in containers(spec):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (name, container["name"])
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]
            if ci != "host-port-values.yaml":
                assert not [port for port in container.get("ports", []) if "hostPort" in port]


@ROWS
def test_service_accounts_are_there_and_hold_no_token(ci: str) -> None:
    objects = render(ci)
    accounts = kind(objects, "ServiceAccount")
    assert {spec["serviceAccountName"] for spec in pods(objects).values()} == set(accounts)
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())


@ROWS
def test_volumes_are_mounted_and_mounts_have_volumes(ci: str) -> None:
    for name, spec in pods(render(ci)).items():
        volumes = [volume["name"] for volume in spec["volumes"]]
        mounted = {mount["name"] for container in containers(spec) for mount in container["volumeMounts"]}
        assert len(volumes) == len(set(volumes)) and set(volumes) == mounted, name


@ROWS
def test_probes_ask_the_http_side_only(ci: str) -> None:
    for service, workload in workloads(render(ci)).items():
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == "http", service
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports["http"] == SERVICES[service][0]
        assert environment(workload)["POSTRIDER_METRICS_PORT"] == str(ports["metrics"]) == "8009"
        assert all(len(name) <= 15 for name in ports)


@ROWS
def test_rollouts_and_grace_follow_decision_13(ci: str) -> None:
    for service, workload in workloads(render(ci)).items():
        env = environment(workload)
        spec = workload["spec"]["template"]["spec"]
        given = int(env["POSTRIDER_DRAIN_DELAY_SECONDS"]) + int(env["POSTRIDER_GRACE_SECONDS"])
        assert spec["terminationGracePeriodSeconds"] == given + 10
        if service == "queue-worker":
            assert env["POSTRIDER_GRACE_SECONDS"] == "630"
        if workload["kind"] == "Deployment":
            assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@ROWS
def test_every_variable_is_one_the_product_knows(ci: str) -> None:
    for spec in pods(render(ci)).values():
        for container in containers(spec):
            names = {each["name"] for each in container.get("env", []) if each["name"].startswith("POSTRIDER_")}
            assert {name.removeprefix("POSTRIDER_") for name in names} - KNOWN_NAMES == set()


@ROWS
def test_each_service_gets_its_own_secrets_only(ci: str) -> None:
    for service, workload in workloads(render(ci)).items():
        secrets = {name for name, value in environment(workload).items() if value.endswith(f":{name}")}
        admin = ["ADMIN_TOKEN"] if service in DATABASE_OWNERS else []
        assert secrets == {f"POSTRIDER_{name}" for name in [*TOKENS[service], *admin]}
        volumes = {volume["name"] for volume in workload["spec"]["template"]["spec"]["volumes"]}
        assert ("database" in volumes) is (service in DATABASE_OWNERS)
        assert ("certificate-default" in volumes) is (service not in DATABASE_OWNERS)


@ROWS
def test_no_password_is_in_an_environment_or_a_command(ci: str) -> None:
    for spec in pods(render(ci)).values():
        for container in containers(spec):
            said = [each.get("value", "") for each in container.get("env", [])]
            said += container.get("command", []) + container.get("args", [])
            assert not [text for text in said if "://" in text and "@" in text]
            assert not [each["name"] for each in container.get("env", []) if "PASSWORD" in each["name"]]


def test_ports_are_those_of_the_single_machine_run() -> None:
    """Inside pods the same unprivileged ports as everywhere else; outside the real ones."""
    objects = render()
    inside, public = {}, {}
    for workload in workloads(objects).values():
        for port in workload["spec"]["template"]["spec"]["containers"][0]["ports"]:
            inside[port["name"].upper()] = port["containerPort"]
        for name, value in environment(workload).items():
            if match := re.fullmatch(r"POSTRIDER_(\w+)_PORT", name):
                assert int(value) == (MAIL_PORTS | {"METRICS": 8009})[match[1]]
    assert {name: port for name, port in inside.items() if name not in ("HTTP", "METRICS")} == MAIL_PORTS
    for service in kind(objects, "Service").values():
        if service["spec"].get("type") == "LoadBalancer":
            assert service["spec"]["externalTrafficPolicy"] == "Local"
            public |= {port["name"]: port["port"] for port in service["spec"]["ports"]}
    assert public == {"smtp": 25, "smtps": 465, "submission": 587, "pop3": 110, "pop3s": 995, "imap": 143, "imaps": 993}


def test_tokens_are_all_made_once_and_kept() -> None:
    secrets = kind(render(), "Secret")
    assert set(secrets["postrider-tokens"]["data"]) == {f"POSTRIDER_{name}" for name in SECRET_NAMES}
    assert set(secrets) == {"postrider-tokens", "postrider-roles", "postrider-database", "postrider-self-signed"}
    for name, secret in secrets.items():
        assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", name
        values = [value for key, value in secret["data"].items() if key.startswith("POSTRIDER_")]
        assert len(values) == len(set(values))
    (claim,) = kind(render(), "PersistentVolumeClaim").values()
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_images_and_settings_are_written_as_given() -> None:
    objects = render("everything-values.yaml")
    env = environment(workloads(objects)["smtp-gateway"])
    assert env["POSTRIDER_MAX_MESSAGE_BYTES"] == "20971520"  # and not 2.097152e+07
    assert env["POSTRIDER_LIMIT_EXEMPT_NETWORKS"] == "192.0.2.0/24,2001:db8::/32"
    assert env["POSTRIDER_SMTP_PLAINTEXT_AUTH"] == "false"
    assert env["TZ"] == "Europe/Vienna"
    for service, workload in workloads(objects).items():
        spec = workload["spec"]["template"]["spec"]
        assert spec["containers"][0]["image"] == f"registry.example.net/mail/{service}:1.2.3"
        assert spec["containers"][0]["imagePullPolicy"] == "Always"
        assert spec["imagePullSecrets"] == [{"name": "registry-login"}]
        assert spec["priorityClassName"] == "system-cluster-critical"
        assert spec["affinity"]["nodeAffinity"]


def test_tls_versions_by_port_reach_the_two_services_of_mail_ports() -> None:
    given = {"default": "1.3", "pop3s": "1.0", "smtps": "1.1"}
    for service, workload in workloads(render(tls__minimum=given)).items():
        said = environment(workload).get("POSTRIDER_TLS_MINIMUM")
        if service in ("smtp-gateway", "pop-imap-frontend"):
            assert tls_minimums((said or "").split(","), MAIL_LISTENERS) == {
                name: VERSIONS[given.get(name, "1.3")] for name in MAIL_LISTENERS
            }
        else:
            assert said is None
    assert not [w for w in workloads(render()).values() if "POSTRIDER_TLS_MINIMUM" in environment(w)]


def test_skaffold_builds_the_images_of_the_chart() -> None:
    import yaml

    skaffold = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    built = {artifact["image"] for artifact in skaffold.get("build", {}).get("artifacts", [])}
    used = {w["spec"]["template"]["spec"]["containers"][0]["image"] for w in workloads(render()).values()}
    assert {image.removesuffix(f":{chart['appVersion']}") for image in used} == built
    (release,) = skaffold["deploy"]["helm"]["releases"]
    assert release["chartPath"] == "charts/postrider"


def test_the_readme_says_what_values_yaml_says() -> None:
    done = subprocess.run([sys.executable, "scripts/chart-readme", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
