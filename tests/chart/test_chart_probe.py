"""probe.enabled: one pod with the command line's code, reached by nobody, that reaches what customers reach."""

from tests.chart.chart import CHART, containers, kind, render


def test_the_probe_is_off_by_default() -> None:
    assert not [each for each in render() if each["metadata"]["name"].endswith("-probe")]


def test_one_pod_runs_the_code_of_the_command_line() -> None:
    objects = render(probe__enabled=True, monitoring__enabled=True)
    (code,) = kind([each for each in objects if each["metadata"]["name"] == "postrider-probe"], "ConfigMap").values()
    source = (CHART / "../../services/postrider/src/postrider/probe.py").read_text()
    assert code["data"]["probe.py"].strip() == source.strip()
    deployment = kind(objects, "Deployment")["postrider-probe"]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (container,) = containers(deployment["spec"]["template"]["spec"])
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert (env["GRANT"], env["DOMAIN"], env["SMTP_HOST"]) == (
        "false",
        "postrider-probe.invalid",
        "postrider-smtp-gateway",
    )
    (monitor,) = [each for each in objects if each["kind"] == "PodMonitor"]
    assert "probe" in monitor["spec"]["selector"]["matchExpressions"][0]["values"]


def test_it_may_reach_submission_and_the_reading_ports_and_auth() -> None:
    policies = kind(render("cluster-policy-values.yaml", probe__enabled=True), "NetworkPolicy")
    egress = policies["postrider-probe"]["spec"]["egress"]
    ports = {str(port["port"]).removeprefix("d-") for rule in egress for port in rule["ports"]}
    assert {"submission", "imaps", "pop3s", "8001"} <= ports
    allowed = [peer for rule in policies["postrider-auth"]["spec"]["ingress"] for peer in rule.get("from", ())]
    assert "probe" in str(allowed)
