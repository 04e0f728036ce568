"""The test suite of RFC 7208 (openspf.org, 2014.04): all its cases."""

from typing import Any

import pytest

from mailauth.spf.check import SpfResult, check_host
from tests.conformance.vectors import documents, zones

SCENARIOS = documents("spf/rfc7208-tests.yml")
CASES = [
    pytest.param(scenario, case, id=f"{scenario['description']}: {name}".replace(" ", "-"))
    for scenario in SCENARIOS
    for name, case in scenario["tests"].items()
]
#: What stands for an explanation that is absent or wrong.
DEFAULT = "DEFAULT"


def test_the_suite_is_whole() -> None:
    assert len(CASES) == 203


@pytest.mark.parametrize(("scenario", "case"), CASES)
async def test_case(scenario: dict[str, Any], case: dict[str, Any]) -> None:
    found: SpfResult = await check_host(
        str(case["host"]),
        case["mailfrom"],
        str(case["helo"]),
        zones(scenario["zonedata"]),
        now=1.0e9,
        receiver="mx.example",
    )
    allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert found.result in allowed, found
    if "explanation" in case:
        assert (found.explanation or DEFAULT).lower() == case["explanation"].lower(), found
