"""What running services import: nothing that only a migration, a test or the command line needs."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

import pytest

from mailkit.testing.speed import patient
from postrider.launcher.parent import LIBRARIES
from postrider.launcher.plan import SERVICES

#: Of migrations, of the command line, of tests, and what libraries import if they find it.
UNUSED = {"alembic", "sqlalchemy", "rich", "pygments", "typer", "trustme", "httpx", "httpx2", "pytest"}
MODULES = [module for _, module, _ in SERVICES.values()]
READ = """
import json, sys
from importlib import import_module
from prometheus_client import REGISTRY
for name in sys.argv[1:]:
    import_module(name)
print(json.dumps([list(sys.modules), list(REGISTRY._names_to_collectors)]))
"""


@dataclass(frozen=True)
class Imported:
    """What is in memory after an import in a process of its own."""

    modules: set[str]
    metrics: set[str]

    @property
    def packages(self) -> set[str]:
        return {name.partition(".")[0] for name in self.modules}


def imported(*names: str) -> Imported:
    done = subprocess.run(
        [sys.executable, "-c", READ, *names], capture_output=True, text=True, timeout=patient(30), check=True
    )
    modules, metrics = json.loads(done.stdout)
    return Imported(set(modules), set(metrics))


@pytest.fixture(scope="module")
def services() -> dict[str, Imported]:
    return {module: imported(f"{module}.__main__", f"{module}.service") for module in MODULES}


@pytest.fixture(scope="module")
def parent() -> Imported:
    return imported(*LIBRARIES)


def test_services_import_nothing_of_other_programs(services: dict[str, Imported]) -> None:
    assert {module: found.packages & UNUSED for module, found in services.items()} == {
        module: set() for module in MODULES
    }


def test_the_parent_of_the_services_imports_what_they_share(services: dict[str, Imported], parent: Imported) -> None:
    assert not parent.packages & (UNUSED | set(MODULES))
    ours = {"mailkit", "mailauth", "bodystore", "auth_api", "mailstore_api", "queue_worker_api"}
    times = Counter(name for found in services.values() for name in found.packages)
    shared = {name for name, count in times.items() if count > 1} - ours - set(sys.stdlib_module_names)
    assert not shared - parent.packages, "add them to LIBRARIES"


def test_the_parent_declares_no_metric_that_a_service_has_not(services: dict[str, Imported], parent: Imported) -> None:
    for module, found in services.items():
        assert parent.metrics <= found.metrics, module
