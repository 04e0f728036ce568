"""The probe where nothing answers: each step fails by itself, and is counted."""

import json
import socket

from prometheus_client import REGISTRY

from postrider.probe import STEPS, Probe, ProbedService, line


def failures() -> dict[str, float]:
    return {step: REGISTRY.get_sample_value("postrider_probe_failures_total", {"step": step}) or 0.0 for step in STEPS}


def test_each_step_fails_by_itself_and_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nowhere = ProbedService(f"http://127.0.0.1:{port}", "t", "127.0.0.1", "127.0.0.1", port, port, port)
    before, succeeded = failures(), REGISTRY.get_sample_value("postrider_probe_last_success_seconds")
    probe = Probe(nowhere, "probe.test")
    assert not probe.round()
    assert set(probe.failures) == set(STEPS)
    assert failures() == {step: count + 1 for step, count in before.items()}
    assert REGISTRY.get_sample_value("postrider_probe_last_success_seconds") == succeeded
    told = json.loads(line(probe))
    assert (told["ok"], told["seconds"], list(told["failures"])) == (
        False,
        {},
        ["grant", "revoke", "auth", "imap", "pop3"],
    )
    assert not Probe(nowhere, "probe.test", grant=False).round()
    assert failures()["grant"] == before["grant"] + 1
