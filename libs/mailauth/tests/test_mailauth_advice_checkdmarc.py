"""checkdmarc beside our advice, on the same zones in memory: what it finds invalid, we do not call right, and the reverse."""

import asyncio
import sys
from typing import Any

import dns.resolver
import dns.rrset
import pytest
from checkdmarc.dmarc import check_dmarc
from checkdmarc.spf import check_spf

from mailauth.testing import Zones
from tests.support.broken_zones import BROKEN, D, report, right_zone

#: What checkdmarc says nothing about: it does not know who sends, and leaves policies to their owner.
SILENT = {"spf without us", "spf without our ipv6", "spf for everybody", "spf neutral", "spf without an end"}
#: What it has a warning for.
WARNED = {"spf behind all", "spf redirect and all", "spf ptr", "dmarc without p", "dmarc reports elsewhere"}
CHECKS = {"spf": check_spf, "dmarc": check_dmarc}


class InMemory(dns.resolver.Resolver):
    """dnspython's resolver over zones in memory: nothing is sent."""

    def __init__(self, zone: dict[str, dict[str, list[str]]]) -> None:
        super().__init__(configure=False)
        self.nameservers = ["192.0.2.1"]
        self._zones = Zones(zone)

    def resolve(self, qname: Any, rdtype: Any = "A", *args: Any, **more: Any) -> Any:
        name, kind = str(qname).rstrip("."), str(rdtype)
        found = asyncio.run(self._zones.ask(name, kind))  # type: ignore[arg-type]
        if not found.records:
            raise dns.resolver.NoAnswer if found.exists else dns.resolver.NXDOMAIN
        return dns.rrset.from_text(f"{name}.", 60, "IN", kind, *(_text(each, kind) for each in found.records))


def _text(record: str | bytes, kind: str) -> str:
    if isinstance(record, str):
        return f"10 {record}." if kind == "MX" else record
    return '"' + record.decode().replace("\\", "\\\\").replace('"', '\\"') + '"'


def checked(purpose: str, zone: dict[str, dict[str, list[str]]]) -> dict[str, Any]:
    for module in [each for name, each in sys.modules.items() if name.startswith("checkdmarc")]:
        for value in vars(module).values():
            if type(value).__name__ == "ExpiringDict":
                value.clear()
    return dict(CHECKS[purpose](D, resolver=InMemory(zone)))


def test_a_zone_that_is_right_is_valid() -> None:
    for purpose in CHECKS:
        found = checked(purpose, right_zone())
        assert found["valid"] and not found["warnings"], found


@pytest.mark.parametrize("case", [case for case, (_, purpose, _) in BROKEN.items() if purpose in CHECKS])
def test_a_broken_zone_is_invalid_where_it_can_be_seen_without_knowing_who_sends(case: str) -> None:
    change, purpose, _ = BROKEN[case]
    zone = right_zone()
    change(zone)
    (ours,) = [each for each in report(Zones(zone)) if each.purpose == purpose]
    found = checked(purpose, zone)
    assert ours.state in ("wrong", "missing")
    assert found["valid"] == (case in SILENT | WARNED), found
    assert case not in WARNED or found["warnings"]


@pytest.mark.parametrize(
    "case", [case for case, (_, purpose, _) in BROKEN.items() if purpose not in (*CHECKS, "source")]
)
def test_what_is_broken_elsewhere_leaves_spf_and_dmarc_valid(case: str) -> None:
    change = BROKEN[case][0]
    zone = right_zone()
    change(zone)
    if case != "no domain":
        assert all(checked(purpose, zone)["valid"] for purpose in CHECKS)
