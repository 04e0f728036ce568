"""`python -m mailstore` serves; `… migrate` brings the schemas up to date; `… openapi` prints the export."""

import asyncio
import json
import sys
from typing import Any
from unittest.mock import MagicMock

from mailkit.errors import PostriderError
from mailkit.lifecycle import EX_CONFIG, Lifecycle, run
from mailstore import main
from mailstore.config import MailstoreSettings


def openapi() -> str:
    """The OpenAPI document; nothing is started for it."""
    nothing: Any = MagicMock()
    return json.dumps(
        main.app(MailstoreSettings(), Lifecycle(), nothing, nothing, nothing).openapi(), indent=1, sort_keys=True
    )


if __name__ == "__main__":
    verb = sys.argv[1] if len(sys.argv) > 1 else "serve"
    if verb == "openapi":
        print(openapi())
    elif verb == "migrate":
        try:
            asyncio.run(main.migrate(MailstoreSettings.load()))
        except PostriderError as error:
            print(f"mailstore: {error}", file=sys.stderr)
            raise SystemExit(EX_CONFIG) from None
    else:
        run(main.SERVICE, lambda life: main.serve(life, MailstoreSettings.load()))
