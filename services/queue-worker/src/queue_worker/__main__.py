"""`python -m queue_worker` serves; `… migrate` brings the schemas up to date; `… openapi` prints the export."""

import asyncio
import json
import sys
from typing import Any, cast

from mailkit.errors import PostriderError
from mailkit.lifecycle import EX_CONFIG, Lifecycle, run
from queue_worker import main
from queue_worker.config import QueueSettings
from queue_worker.parts import web


def openapi() -> str:
    """The OpenAPI document; nothing is started for it."""
    none = cast(Any, None)
    return json.dumps(web(QueueSettings(), Lifecycle(), none, none, none).openapi(), indent=1, sort_keys=True)


if __name__ == "__main__":
    verb = sys.argv[1] if len(sys.argv) > 1 else "serve"
    if verb == "openapi":
        print(openapi())
    elif verb == "migrate":
        try:
            asyncio.run(main.migrate(QueueSettings.load()))
        except PostriderError as error:
            print(f"queue-worker: {error}", file=sys.stderr)
            raise SystemExit(EX_CONFIG) from None
    else:
        run(main.SERVICE, lambda life: main.serve(life, QueueSettings.load()))
