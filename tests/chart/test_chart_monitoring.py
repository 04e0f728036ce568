"""monitoring.enabled: a monitor for the pods, the alerts, the dashboards; scrape annotations otherwise."""

import json
import re

import pytest
import yaml

from tests.chart.chart import CHART, SERVICES, refusal, render, run


def of(kind: str, **sets: object) -> list[dict[str, object]]:
    return [each for each in render(**sets) if each["kind"] == kind]


def test_without_monitoring_pods_carry_scrape_annotations_and_nothing_else_is_made() -> None:
    objects = render()
    assert not [each for each in objects if each["apiVersion"].startswith("monitoring.coreos.com")]
    assert not [each for each in objects if "dashboard" in each["metadata"]["name"]]
    scraped = {}
    for deployment in (each for each in objects if each["kind"] == "Deployment"):
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert annotations["prometheus.io/scrape"] == "true"
        assert annotations["prometheus.io/port"] == str(ports["metrics"])
        scraped[deployment["metadata"]["name"]] = ports["metrics"]
    assert len(scraped) == len(SERVICES)


def test_the_monitor_finds_every_service_and_nothing_else() -> None:
    (monitor,) = of("PodMonitor", monitoring__enabled=True, monitoring__labels={"release": "prometheus"})
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    spec = monitor["spec"]
    (wanted,) = spec["selector"]["matchExpressions"]
    assert wanted["values"] == sorted(SERVICES)
    for deployment in of("Deployment", monitoring__enabled=True):
        template = deployment["spec"]["template"]
        labels = template["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert labels["app.kubernetes.io/component"] in wanted["values"]
        assert spec["podMetricsEndpoints"][0]["port"] == "metrics"
        assert "metrics" in {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert "prometheus.io/scrape" not in template["metadata"]["annotations"], "it would be scraped twice"
    assert spec["jobLabel"] == "app.kubernetes.io/component"


def test_rules_are_of_this_namespace_unless_told_otherwise() -> None:
    for only, wanted in ((True, True), (False, False)):
        (rule,) = of("PrometheusRule", monitoring__enabled=True, monitoring__rules__thisNamespaceOnly=only)
        text = json.dumps(rule["spec"])
        assert ('namespace=\\"mail\\"' in text) is wanted
        assert "{," not in text and "RUNBOOKS" not in text
        for each in rule["spec"]["groups"]:
            for alert in each["rules"]:
                assert alert["labels"].get("namespace") == ("mail" if only else None)


def test_jobs_and_the_database_are_not_scraped() -> None:
    """They have no /metrics: a target that is down for ever would be an alert for ever."""
    objects = render("monitoring-values.yaml")
    (monitor,) = (each for each in objects if each["kind"] == "PodMonitor")
    (wanted,) = monitor["spec"]["selector"]["matchExpressions"]
    others = {
        each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        for each in objects
        if each["kind"] in ("Job", "StatefulSet")
    }
    assert others == {"migrate", "postgres"}
    assert not others & set(wanted["values"])


@pytest.mark.parametrize("enabled", [True, False])
def test_policies_let_the_scraper_in_at_every_service(enabled: bool) -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "metrics"}}}]
    policies = of("NetworkPolicy", monitoring__enabled=enabled, networkPolicies__metricsFrom=peers)
    open_to_it = {
        policy["metadata"]["labels"]["app.kubernetes.io/component"]
        for policy in policies
        for rule in policy["spec"].get("ingress", [])
        if peers[0] in rule.get("from", []) and (rule["ports"], rule["from"]) == ([{"port": "metrics"}], peers)
    }
    assert open_to_it == set(SERVICES)
    everything = [rule for policy in policies for rule in policy["spec"].get("ingress", [])]
    assert not [
        rule for rule in everything if peers[0] in rule.get("from", []) and rule["ports"] != [{"port": "metrics"}]
    ]


@pytest.mark.parametrize("only", [True, False])
def test_the_chart_changes_nothing_else_about_the_rules(only: bool) -> None:
    """Without the namespace and the labels it is the file again, which promtool and Prometheus read as it is."""
    added = {"team": "mail", "namespace": "mail"} if only else {"team": "mail"}
    (rule,) = of(
        "PrometheusRule",
        monitoring__enabled=True,
        monitoring__rules__thisNamespaceOnly=only,
        monitoring__rules__alertLabels={"team": "mail"},
    )
    selectors = 0
    for group in rule["spec"]["groups"]:
        for alert in group["rules"]:
            assert added.items() <= alert["labels"].items()
            alert["labels"] = {name: value for name, value in alert["labels"].items() if name not in added}
            selectors += alert["expr"].count('{namespace="mail"')
            alert["expr"] = re.sub(r'{namespace="mail",?', "{", alert["expr"])
    file = yaml.safe_load((CHART / "files/alerts/postrider.yaml").read_text())
    assert rule["spec"] == file
    asked = sum(len(re.findall(r"\w\{", alert["expr"])) for group in file["groups"] for alert in group["rules"])
    assert selectors == (asked if only else 0)


def test_a_namespace_that_looks_like_a_number_stays_a_name() -> None:
    done = run(
        "template",
        "postrider",
        ".",
        "--namespace",
        "0815",
        "--values",
        "ci/monitoring-values.yaml",
        "--show-only",
        "templates/rules.yaml",
    )
    assert done.returncode == 0, done.stderr
    labels = {
        alert["labels"]["namespace"]
        for group in yaml.safe_load(done.stdout)["spec"]["groups"]
        for alert in group["rules"]
    }
    assert labels == {"0815"}


def test_runbooks_may_be_elsewhere() -> None:
    (rule,) = of(
        "PrometheusRule", monitoring__enabled=True, monitoring__rules__runbookBaseUrl="https://wiki.example/mail/"
    )
    urls = {alert["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for alert in group["rules"]}
    assert "https://wiki.example/mail/PostriderQueueLate.md" in urls
    assert all(url.startswith("https://wiki.example/mail/Postrider") for url in urls)


def test_each_dashboard_is_a_config_map_that_the_sidecar_finds() -> None:
    made = [each for each in of("ConfigMap", monitoring__enabled=True) if "-dashboard-" in each["metadata"]["name"]]
    files = {path.name: path.read_text() for path in (CHART / "files/dashboards").glob("*.json")}
    assert len(files) == 7
    assert {name: text for each in made for name, text in each["data"].items()} == files
    for each in made:
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert len(yaml.safe_dump(each)) < 1_000_000
    folder = of("ConfigMap", monitoring__enabled=True, monitoring__dashboards__annotations={"grafana_folder": "Mail"})
    assert {
        each["metadata"].get("annotations", {}).get("grafana_folder")
        for each in folder
        if "-dashboard-" in each["metadata"]["name"]
    } == {"Mail"}


@pytest.mark.parametrize("part", ["rules", "dashboards"])
def test_parts_can_be_left_out(part: str) -> None:
    objects = render(monitoring__enabled=True, **{f"monitoring__{part}__enabled": False})
    kinds = {each["kind"] for each in objects}
    names = {each["metadata"]["name"] for each in objects}
    assert "PodMonitor" in kinds
    assert ("PrometheusRule" in kinds) is (part != "rules")
    assert any("-dashboard-" in name for name in names) is (part != "dashboards")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"monitoring__interval": "often"}, "interval"),
        ({"monitoring__rule": {}}, "rule"),
        ({"monitoring__rules__runbookBaseUrl": ""}, "runbookBaseUrl"),
        ({"monitoring__rules__runbookBaseUrl": "see the wiki"}, "runbookBaseUrl"),
        ({"monitoring__rules__alertLabels": {"severity": "info"}}, "alertLabels"),
        ({"monitoring__rules__alertLabels": {"my-team": "mail"}}, "alertLabels"),
        ({"monitoring__dashboards__labels": {"grafana_dashboard": 1}}, "grafana_dashboard"),
        ({"monitoring__scrapeTimeout": "10"}, "scrapeTimeout"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, object], named: str) -> None:
    assert named in refusal(**values)
