"""`python -m mailstore [serve|migrate|wait-schema|openapi]`."""

import json
from typing import Any, cast

from pydantic import SecretStr

from mailkit import command
from mailkit.clock import SystemClock
from mailkit.lifecycle import Lifecycle
from mailkit.proof import SHORTEST_KEY
from mailstore import main
from mailstore.config import MailstoreSettings
from mailstore.parts import SERVICE, assemble, web


def openapi() -> str:
    """Return the OpenAPI document; needs no database and starts nothing."""
    no_database = cast(Any, None)
    settings = MailstoreSettings(proof_key=SecretStr("0" * SHORTEST_KEY))
    parts = assemble(settings, no_database, no_database, SystemClock())
    return json.dumps(web(settings, Lifecycle(), parts).openapi(), indent=1, sort_keys=True)


if __name__ == "__main__":
    command.main(
        command.Program(SERVICE, "mailstore", MailstoreSettings, main.serve, main.schemas, openapi, role="mailstore")
    )
