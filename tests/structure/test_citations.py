"""What code and documents cite exists: contract ids, decisions, files."""

import re
from pathlib import Path

import pytest

from tests.structure.test_repository import ROOT, tracked

DECISIONS = {int(path.name[:4]): path for path in (ROOT / "docs/decisions").glob("[0-9]*.md")}
TEXTS = tracked("*.py", "*.sql", "*.md", "*.yaml", "*.toml", "Makefile", "Dockerfile", "scripts/*")
#: `decision 6`, `decisions 3, 4 and 15`, `docs/decisions/0006`
_CITED = re.compile(r"\bdecisions? (\d{1,4}(?:(?:, | and |, and )\d{1,4})*)\b|docs/decisions/(\d{4})", re.I)


def decisions_cited(text: str) -> set[int]:
    """The numbers of the decisions that `text` cites."""
    return {int(number) for one, page in _CITED.findall(text) for number in re.findall(r"\d+", one or page)}


def test_every_decision_cited_has_its_page() -> None:
    missing = {
        f"{file.relative_to(ROOT)}: {number}"
        for file in TEXTS
        if "test_citations" not in file.name
        for number in decisions_cited(file.read_text())
        if number not in DECISIONS
    }
    assert missing == set()


def test_a_list_of_decisions_is_read_whole() -> None:
    assert decisions_cited("decisions 3, 4 and 15; docs/decisions/0006-who.md") == {3, 4, 15, 6}


@pytest.mark.parametrize("number", sorted(DECISIONS))
def test_a_decision_is_headed_by_its_number_and_dated(number: int) -> None:
    head = DECISIONS[number].read_text().splitlines()
    assert head[0].startswith(f"# {number}. ")
    assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", head[2]), head[2]


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert [path.name for path in DECISIONS.values() if f"]({path.name})" not in index] == []


def test_every_contract_id_cited_is_a_row() -> None:
    rows = set(re.findall(r"^\| ([SLPI]\d{1,2}) \|", (ROOT / "docs/contract.md").read_text(), re.M))
    assert len(rows) > 20
    cited = {
        (str(file.relative_to(ROOT)), one)
        for file in tracked("libs/*/src/*.py", "services/*/src/*.py", "proto/*.py", "tests/e2e/*.py")
        for group in re.findall(r"\(([^()]*)\)", file.read_text())
        for one in re.findall(r"(?<![\w.\-/])([SLPI]\d{1,2})(?![\w%])", group)
    }
    assert {(file, one) for file, one in cited if one not in rows} == set()
    assert len({one for _, one in cited}) > 15


@pytest.mark.parametrize(
    "page",
    [path for path in tracked("*.md") if "charts/" not in str(path)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


UNSHOWN = {"5746", "8020"}
"""Behaviour of OpenSSL and of the resolver, which the row says."""


def test_the_ledger_of_rfcs_names_a_test_for_what_is_implemented() -> None:
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "docs/rfcs.md").read_text().splitlines()]
    ledger = {
        row[0]: (row[2], row[3].strip("`") if len(row) > 3 else "") for row in rows if row[0].isdigit() and len(row) > 2
    }
    assert len(ledger) > 60
    assert {number for number, (_, test) in ledger.items() if test and not (ROOT / test).is_file()} == set()
    unshown = {number for number, (far, test) in ledger.items() if not test and far.strip("| ") != "no"}
    assert unshown <= UNSHOWN, "a row that says more than `no` names its test"
