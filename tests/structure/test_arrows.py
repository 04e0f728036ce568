"""The arrows between services are the same in the table for people and in the projects' dependencies."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("auth", "queue-worker", "mailstore", "smtp-gateway", "pop-imap-frontend")


def declared() -> set[tuple[str, str]]:
    """Contract packages in the services' pyproject.toml; a service's own contract is no arrow."""
    found = set()
    for service in SERVICES:
        project = tomllib.loads((ROOT / "services" / service / "pyproject.toml").read_text())["project"]
        for dependency in project["dependencies"]:
            name = re.match(r"[a-z0-9-]+", dependency)
            if name and name[0].endswith("-api") and name[0] != f"{service}-api":
                found.add((service, name[0].removesuffix("-api")))
    return found


def written() -> set[tuple[str, str]]:
    text = (ROOT / "services" / "README.md").read_text().partition("## Who calls whom")[2]
    return {(a, b) for a, b in re.findall(r"^\| ([a-z-]+) \| ([a-z-]+) \|$", text, re.M) if a not in ("caller", "---")}


def test_the_table_is_what_is_declared() -> None:
    assert written() == declared()
    assert len(declared()) == 7


def test_there_is_no_circle() -> None:
    callees = {callee for _, callee in declared()}
    assert {"auth", "mailstore"}.isdisjoint({caller for caller, _ in declared()})
    assert {"smtp-gateway", "pop-imap-frontend"}.isdisjoint(callees)
