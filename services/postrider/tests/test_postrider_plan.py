"""What each process of a run is told, and what it is not."""

from pathlib import Path

import pytest

from mailkit.errors import ConfigError
from mailkit.process.config import refuse_unknown
from postrider.launcher.plan import DATABASE_OWNERS, SECRET_NAMES, SERVICES, TOKENS, Plan


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_its_own_secrets_only(service: str) -> None:
    users = {
        "POSTRIDER_DATABASE_URL": "secret:user",
        "POSTRIDER_DEMO_USERS": "secret:demo",
        "POSTRIDER_ADMIN_TOKEN": "secret:old",
    }
    made = Plan(Path("/state"), 0, users).environment(
        service, "secret:dsn", {name: f"secret:{name}" for name in SECRET_NAMES}
    )
    told = {name.removeprefix("POSTRIDER_") for name, value in made.items() if "secret:" in value}
    owner = {"DATABASE_URL", "BODIES_DATABASE_URL", "ADMIN_TOKEN"} if service in DATABASE_OWNERS else set()
    assert told == {*TOKENS[service], *owner}


@pytest.mark.parametrize("name", ["POSTRIDER_SUPERUSER_DATABASE_URL", "POSTRIDER_QUEUE_ROLES"])
def test_a_name_nobody_reads_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a setting"):
        refuse_unknown({name: "x"})
