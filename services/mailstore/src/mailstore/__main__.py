"""`python -m mailstore` serves; `… migrate` brings the schemas up to date; `… openapi` prints the export."""

import asyncio
import json
import sys
from typing import Any, cast

from mailkit.clock import SystemClock
from mailkit.errors import PostriderError
from mailkit.lifecycle import EX_CONFIG, Lifecycle, run
from mailstore import main
from mailstore.config import MailstoreSettings
from mailstore.parts import SERVICE, assemble, web


def openapi() -> str:
    """The OpenAPI document; nothing is started or asked for it."""
    no_database = cast(Any, None)
    parts = assemble(MailstoreSettings(), no_database, no_database, SystemClock())
    return json.dumps(web(MailstoreSettings(), Lifecycle(), parts).openapi(), indent=1, sort_keys=True)


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
        run(SERVICE, lambda life: main.serve(life, MailstoreSettings.load()))
