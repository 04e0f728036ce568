"""Limits of waiting in tests scale with the machine (`mailkit.testing.speed`): none is a bare number."""

import ast
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[2]
#: `tests/cluster` and `tests/bench` have the machine for themselves, and limits of their own.
FILES = sorted(
    path
    for pattern in (
        "libs/*/tests/**/*.py",
        "services/*/tests/**/*.py",
        "proto/*/tests/**/*.py",
        "tests/**/*.py",
        "libs/*/src/**/testing/*.py",
    )
    for path in ROOT.glob(pattern)
    if path.relative_to(ROOT).parts[:2] not in (("tests", "cluster"), ("tests", "bench"))
)
#: Which argument is the limit, by the call as it is written or by its last word.
LIMITS = {
    "asyncio.timeout": 0,
    "asyncio.wait_for": 1,
    "socket.create_connection": 1,
    "select.select": 3,
    "psutil.wait_procs": 1,
    ".settimeout": 0,
    ".join": 0,
    "pytest.mark.timeout": 0,
    "process.wait": 0,
}
#: These take a `timeout` that is the product's setting, or that is meant to pass: nothing happens within it.
NO_LIMIT = ("Resolver", "asyncio.wait")
SHORT = 0.5


def bare(tree: ast.AST) -> Iterator[int]:
    """The lines in which a number is the limit of a wait."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = [word.value for word in node.keywords if word.arg == "timeout"]
        at = LIMITS.get(called, LIMITS.get("." + called.rpartition(".")[2]))
        given += node.args[at : at + 1] if at is not None else []
        for value in given:
            if not isinstance(value, ast.Constant) or not isinstance(value.value, int | float):
                continue
            if not (called in NO_LIMIT and value.value <= SHORT):
                yield node.lineno


def test_no_limit_of_waiting_is_a_bare_number() -> None:
    found = [f"{path.relative_to(ROOT)}:{line}" for path in FILES for line in bare(ast.parse(path.read_text()))]
    assert found == [], "write patient(seconds), from mailkit.testing.speed"


def test_bare_numbers_are_found() -> None:
    text = """
asyncio.timeout(5)
asyncio.timeout(patient(5))
await asyncio.wait_for(work, 5)
await asyncio.wait_for(work, timeout=5.0)
wait_for(condition, 5)
sock.settimeout(1)
subprocess.run(words, timeout=60)
asyncio.wait({task}, timeout=0.1)
asyncio.wait({task}, timeout=1)
"|".join(words)
socket.create_connection(("127.0.0.1", 5), patient(5))
"""
    assert sorted(bare(ast.parse(text))) == [2, 4, 5, 7, 8, 10]


def test_no_property_fails_by_the_clock() -> None:
    profile = settings()
    assert profile.deadline is None
    assert profile.print_blob
    assert HealthCheck.too_slow in profile.suppress_health_check
    assert [path for path in FILES if "deadline=" in path.read_text() and path != Path(__file__)] == []
