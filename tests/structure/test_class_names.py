"""One word for one thing: a class name belongs to one module, unless the classes are the same thing in two places."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]

SHARED = {
    "Attempt": "an attempt as a row and as REST shows it",
    "Mailbox": "a mailbox as auth's REST shows it and as mailstore's row",
    "Maildrop": "the answer of a POP3 login and the rows behind it",
    "Maintenance": "the periodic work of a service",
    "Parts": "the objects that a service makes once",
    "Recipient": "a recipient as a row and as REST shows it",
    "Sessions": "the open sessions of a service",
}
"""Names that two modules may share, and the thing that both mean."""


def classes(*folders: str) -> dict[str, list[str]]:
    """The modules of each top-level class, by its name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(path for folder in folders for path in ROOT.glob(f"{folder}/**/*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_a_public_class_name_means_one_thing() -> None:
    found = classes("libs/*/src", "proto/*/src", "services/*/src")
    assert len(found) > 300
    twice = {name: paths for name, paths in found.items() if len(paths) > 1 and not name.startswith("_")}
    assert {name: paths for name, paths in twice.items() if name not in SHARED} == {}
    assert sorted(SHARED) == sorted(twice), "a name that is no longer shared"


def test_the_tests_have_one_world_and_one_sink() -> None:
    found = classes("libs", "proto", "services", "tests")
    assert (len(found["World"]), len(found["Sink"])) == (1, 1)
