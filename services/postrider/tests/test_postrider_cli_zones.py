"""`domain dns`: what it prints for people and scripts, and its exit status."""

import json
from typing import Any

import pytest
import typer

from postrider.commands.zones import helo_names, show_report

MX = {
    "purpose": "mx", "name": "shop.test", "type": "MX", "value": "10 ns0.", "zone_text": "10 ns0.", "needed": True,
    "state": "right", "found": ["ns0"], "problems": [], "remarks": [],
}  # fmt: skip


def report(state: str, *changes: dict[str, Any]) -> dict[str, Any]:
    return {"domain": "shop.test", "state": state, "records": [MX | each for each in changes]}


def shown(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str], *, as_json: bool = False, zone: bool = False
) -> tuple[int, str]:
    try:
        show_report(given, as_json, zone=zone)
        status = 0
    except typer.Exit as end:
        status = end.exit_code
    return status, capsys.readouterr().out


def test_the_helo_names_of_a_domain_are_those_of_its_route_else_of_all_mail():
    def route(kind: str, value: str, *pool: str, host: str | None = None, helo: str | None = None) -> dict[str, Any]:
        return {"kind": kind, "value": value, "host": host, "helo": helo, "pool": [{"helo": each} for each in pool]}

    routes = [route("all", "", "out1", "out2", "out1"), route("sender", "own.test", "own"), route("bounces", "", "b")]
    routes += [route("sender", "smart.test", host="relay"), route("sender", "one.test", helo="one")]
    found = {domain: helo_names(domain, routes) for domain in ("x.test", "Own.test", "smart.test", "one.test")}
    assert found == {"x.test": ["out1", "out2"], "Own.test": ["own"], "smart.test": [], "one.test": ["one"]}
    assert helo_names("x.test", []) == []


def test_a_right_zone_is_a_line_each_and_status_0(capsys):
    assert shown(report("right", {}), capsys) == (0, "right    MX    shop.test\nshop.test: all records are right\n")


def test_what_is_wrong_comes_with_its_sentence_and_the_line_to_publish_and_status_1(capsys):
    given = report(
        "wrong", {"state": "wrong", "problems": ["Bad\x1b[31m: repair it."]}, {"needed": False, "state": "missing"}
    )
    status, text = shown(given, capsys)
    assert status == 1
    assert text.splitlines() == [
        "wrong    MX    shop.test",
        "         Bad\N{REPLACEMENT CHARACTER}[31m: repair it.",
        "         shop.test. IN MX 10 ns0.",
        "advised  MX    shop.test",
        "         shop.test. IN MX 10 ns0.",
        "shop.test: 1 to repair, 1 advised",
    ]
    assert shown(given, capsys, zone=True) == (1, "shop.test. IN MX 10 ns0.\n" * 2)
    said = report("wrong", {"state": "wrong", "problems": ["Bad: publish `shop.test. IN MX 10 ns0.`."]})
    assert shown(said, capsys)[1].count("10 ns0.") == 1


def test_what_is_not_known_has_a_status_of_its_own_and_json_has_the_same(capsys):
    given = report("unknown", {"state": "unknown", "problems": ["Ask: again."]})
    status, text = shown(given, capsys)
    assert (status, text.splitlines()[-1]) == (3, "shop.test: 1 could not be asked for")
    assert [shown(given, capsys, as_json=True)[0], json.loads(shown(given, capsys, as_json=True)[1])] == [3, given]
