"""probe.enabled: one pod with the command line's code, reached by nobody, that reaches what customers reach."""

from tests.chart.chart import CHART, containers, kind, refusal, render


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


def test_with_a_grant_it_has_internal_ports_that_nobody_else_reaches() -> None:
    objects = render("proxy-values.yaml", probe__enabled=True, probe__grant=True)
    services, policies = kind(objects, "Service"), kind(objects, "NetworkPolicy")
    for name, port, number, target, setting in (
        ("smtp-gateway", "submission", 587, "i-submission", "POSTRIDER_INTERNAL_SUBMISSION_PORT"),
        ("pop-imap-frontend", "imaps", 993, "i-imaps", "POSTRIDER_INTERNAL_IMAPS_PORT"),
    ):
        internal = services[f"postrider-{name}-internal"]["spec"]
        assert (internal.get("type", "ClusterIP"), internal["ports"]) == (
            "ClusterIP",
            [{"name": port, "port": number, "targetPort": target}],
        )
        others = [each for each in services if not each.endswith("-internal")]
        assert not [each for each in others if target in str(services[each]["spec"]["ports"])]
        (container,) = containers(kind(objects, "Deployment")[f"postrider-{name}"]["spec"]["template"]["spec"])
        (inside,) = [each for each in container["ports"] if each["name"] == target]
        env = {each["name"]: each.get("value") for each in container["env"]}
        assert env[setting] == str(inside["containerPort"]) and "hostPort" not in inside
        rules = [rule for rule in policies[f"postrider-{name}"]["spec"]["ingress"] if target in str(rule["ports"])]
        assert len(rules) == 1 and len(rules[0]["from"]) == 1 and "probe" in str(rules[0]["from"])
        assert target in str(policies["postrider-probe"]["spec"]["egress"])
    (container,) = containers(kind(objects, "Deployment")["postrider-probe"]["spec"]["template"]["spec"])
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert (env["GRANT"], env["INTERNAL_SMTP"]) == ("true", "postrider-smtp-gateway-internal:587")
    assert "i-submission" not in str(render("proxy-values.yaml", probe__enabled=True))
    without = render("cluster-policy-values.yaml", probe__enabled=True, probe__grant=True)
    assert "i-submission" not in str(without), "OPEN-SMTP is off there"
    assert "probe.grant" in refusal(
        "proxy-values.yaml", probe__enabled=True, probe__grant=True, networkPolicies__enabled=False
    )


def test_it_may_reach_submission_and_the_reading_ports_and_auth() -> None:
    policies = kind(render("cluster-policy-values.yaml", probe__enabled=True), "NetworkPolicy")
    egress = policies["postrider-probe"]["spec"]["egress"]
    ports = {str(port["port"]).removeprefix("d-") for rule in egress for port in rule["ports"]}
    assert {"submission", "imaps", "pop3s", "8001"} <= ports
    allowed = [peer for rule in policies["postrider-auth"]["spec"]["ingress"] for peer in rule.get("from", ())]
    assert "probe" in str(allowed)
