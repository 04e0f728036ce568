"""Databases, migrations, certificates, scaling: what pods are given in each way of use."""

import pytest

from tests.chart.chart import CI, Object, containers, environment, kind, pods, render, workloads

OWNERS = {"auth": "auth", "mailstore": "mailstore", "queue-worker": "queue"}


def volume(spec: Object, name: str) -> Object:
    (found,) = [each for each in spec["volumes"] if each["name"] == name]
    return found


def projected(spec: Object) -> dict[str, dict[str, str]]:
    """Path in the database's folder by secret and key."""
    sources = volume(spec, "database")["projected"]["sources"]
    return {
        source["secret"]["name"]: {item["key"]: item["path"] for item in source["secret"].get("items", [])}
        for source in sources
    }


@pytest.mark.parametrize("upgrade", [False, True])
@pytest.mark.parametrize("ci", CI)
def test_the_migration_job(ci: str, upgrade: bool) -> None:
    """An ordinary job on install; a hook before the upgrade, which finds secrets and database of the revision before."""
    (job,) = kind(render(ci, upgrade=upgrade), "Job").values()
    annotations = job["metadata"].get("annotations", {})
    assert annotations.get("helm.sh/hook") == ("pre-upgrade" if upgrade else None)
    assert job["metadata"]["name"].endswith("-migrate-1")
    spec = job["spec"]["template"]["spec"]
    steps = [each for each in containers(spec) if each.get("args") == ["migrate"]]
    assert [each["name"] for each in steps] == list(OWNERS)
    assert all(each["image"].rpartition(":")[0].endswith(f"/{each['name']}") for each in steps)
    assert spec["restartPolicy"] == "Never"


@pytest.mark.parametrize("ci", CI)
def test_owners_wait_for_their_schema_and_nobody_else_knows_a_database(ci: str) -> None:
    for service, workload in workloads(render(ci)).items():
        spec = workload["spec"]["template"]["spec"]
        waits = [each["args"] for each in spec.get("initContainers", [])]
        assert waits == ([["wait-schema"]] if service in OWNERS else [])
        named = [name for name in environment(workload) if "DATABASE" in name]
        assert bool(named) is (service in OWNERS)


def test_roles_created_here_get_the_place_but_not_the_owners_login() -> None:
    objects = render("two-core-values.yaml")
    for service, role in OWNERS.items():
        found = projected(workloads(objects)[service]["spec"]["template"]["spec"])
        assert set(found["postrider-database"].values()) == {"host", "endpoint", "port", "dbname", "database", "ca.crt"}
        assert found["postrider-roles"] == {f"{role}-username": "username", role: "password"}
    job = pods(objects)["Job/postrider-migrate-1"]
    assert volume(job, "database")["secret"]["secretName"] == "postrider-database"
    assert {item["path"] for item in volume(job, "roles")["secret"]["items"]} == set(OWNERS.values())
    for step in containers(job):
        if step.get("args") == ["migrate"]:
            assert {each["name"] for each in step["env"]} == {"POSTRIDER_DATABASE_SECRET", "POSTRIDER_DATABASE_ROLES"}


def test_roles_made_elsewhere() -> None:
    objects = render("existing-database-values.yaml")
    for service, role in OWNERS.items():
        found = projected(workloads(objects)[service]["spec"]["template"]["spec"])
        assert set(found) == {"cluster-app", f"role-{role}"}
        assert not {"uri", "password", "username", "user"} & set(found["cluster-app"])
        env = environment(workloads(objects)[service])
        assert env["POSTRIDER_DATABASE_HOST"] == "cluster-rw.database.svc"
        assert env["POSTRIDER_DATABASE_PORT"] == "5433"
        assert env["POSTRIDER_DATABASE_NAME"] == "mail"
        assert env["POSTRIDER_DATABASE_SSLMODE"] == "require"
    assert "postrider-roles" not in kind(objects, "Secret")
    job = pods(objects)["Job/postrider-migrate-1"]
    assert "roles" not in [each["name"] for each in job["volumes"]]


def test_one_user_for_all() -> None:
    objects = render("cluster-policy-values.yaml")
    for service in OWNERS:
        spec = workloads(objects)[service]["spec"]["template"]["spec"]
        assert volume(spec, "database")["secret"]["secretName"] == "postgres"


def test_certificates_are_folders() -> None:
    objects = render("existing-database-values.yaml")
    (certificate,) = kind(objects, "Certificate").values()
    assert certificate["spec"]["dnsNames"] == ["mail.example.net", "smtp.example.net", "imap.example.net"]
    for service in ("smtp-gateway", "pop-imap-frontend"):
        spec = workloads(objects)[service]["spec"]["template"]["spec"]
        mounts = {m["mountPath"]: m["name"] for m in spec["containers"][0]["volumeMounts"]}
        folder = environment(workloads(objects)[service])["POSTRIDER_CERTIFICATES"]
        shared = volume(spec, mounts[f"{folder}/default"])["secret"]["secretName"]
        assert shared == certificate["spec"]["secretName"]
        assert (
            volume(spec, mounts[f"{folder}/mail-customer-example"])["secret"]["secretName"] == "mail-customer-example"
        )
        # a subPath mount would never see a renewed certificate
        assert not [m for m in spec["containers"][0]["volumeMounts"] if "subPath" in m]


def test_what_scales_has_no_fixed_number_of_pods() -> None:
    objects = render("scaling-values.yaml")
    scalers = kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    assert set(kind(objects, "HorizontalPodAutoscaler")) == {"postrider-auth", "postrider-mailstore"}
    assert set(scalers) == {f"postrider-{service}" for service in workloads(objects)}
    assert not [each for each in workloads(objects).values() if "replicas" in each["spec"]]
    budgets = kind(objects, "PodDisruptionBudget")
    assert len(budgets) == 5 and all(each["spec"]["maxUnavailable"] == 1 for each in budgets.values())
    assert all(each["spec"]["replicas"] == 1 for each in workloads(render()).values())


def test_the_edge_is_daemon_sets_on_host_ports() -> None:
    objects = render("host-port-values.yaml")
    edge = kind(objects, "DaemonSet")
    assert set(edge) == {"postrider-smtp-gateway", "postrider-pop-imap-frontend"}
    ports = {
        port["hostPort"]
        for each in edge.values()
        for port in each["spec"]["template"]["spec"]["containers"][0]["ports"]
        if "hostPort" in port
    }
    assert ports == {25, 465, 587, 110, 995, 143, 993}
    assert not [name for name in kind(objects, "Service") if name.endswith("-public")]
    budgets = set(kind(objects, "PodDisruptionBudget"))  # they cannot count a DaemonSet's pods
    assert budgets == {"postrider-auth", "postrider-mailstore", "postrider-queue-worker"}


def test_scrape_annotations_where_nothing_else_finds_the_metrics() -> None:
    def annotations(ci: str) -> list[dict[str, str]]:
        return [each["spec"]["template"]["metadata"]["annotations"] for each in workloads(render(ci)).values()]

    assert all(each["prometheus.io/path"] == "/metrics" for each in annotations("two-core-values.yaml"))
    assert not [each for each in annotations("existing-database-values.yaml") if "prometheus.io/scrape" in each]
