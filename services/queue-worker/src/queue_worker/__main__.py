"""`python -m queue_worker [serve|migrate|wait-schema|openapi]`."""

import json
from typing import Any, cast

from mailkit import command
from mailkit.lifecycle import Lifecycle
from queue_worker import main
from queue_worker.config import QueueSettings
from queue_worker.parts import web


def openapi() -> str:
    """Return the OpenAPI document; nothing is started for it."""
    none = cast(Any, None)
    return json.dumps(web(QueueSettings(), Lifecycle(), none, none, none).openapi(), indent=1, sort_keys=True)


if __name__ == "__main__":
    command.main(
        command.Program(main.SERVICE, "queue_worker", QueueSettings, main.serve, main.schemas, openapi, role="queue")
    )
