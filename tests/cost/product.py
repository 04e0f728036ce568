"""What the product has that needs a case: its verbs, commands and routes, read from its own tables."""

import importlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, cast
from unittest.mock import patch

from fastapi import FastAPI
from starlette.routing import Route

import pop_imap_frontend.service
import smtp_gateway.service
from mailkit.process.lifecycle import Lifecycle
from smtp_gateway.config import GatewaySettings

#: Services with the module that makes their application, and how.
_OPENAPI = {"auth": "auth.service", "queue-worker": "queue_worker.service", "mailstore": "mailstore.service"}

#: Routes that take no input: why none has a case of its own.
NO_INPUT = {
    "/healthz": "answers a constant",
    "/readyz": "asks the database once",
    "/metrics": "its size is that of the metrics",
    "/docs": "answers a constant",
    "/docs/oauth2-redirect": "answers a constant",
    "/openapi.json": "made once",
    "/v1/feed": "a stream without end; its frames and lists are bounded (services/mailstore/tests/test_mailstore_feed.py)",
}


def smtp() -> set[str]:
    """The verbs of the SMTP table."""
    from smtp_gateway.smtp.registry import VERBS

    return {f"smtp {name}" for name in VERBS}


def imap() -> set[str]:
    """The commands of the IMAP table."""
    from pop_imap_frontend.imap.registry import VERBS

    return {f"imap {name}" for name in VERBS}


def pop3() -> set[str]:
    """The commands of the POP3 table."""
    from pop_imap_frontend.pop3.registry import VERBS

    return {f"pop3 {name}" for name in VERBS}


def applications() -> dict[str, FastAPI]:
    """The HTTP application of every service, with no database behind it."""
    made: dict[str, FastAPI] = {}
    for service, module in _OPENAPI.items():

        def remember(app: FastAPI, service: str = service) -> dict[str, object]:
            made[service] = app
            return {}

        with patch.object(FastAPI, "openapi", remember):
            json.loads(importlib.import_module(module).openapi())
    absent = cast(Any, None)
    made["smtp-gateway"] = smtp_gateway.service.web(GatewaySettings(), Lifecycle(), absent)
    made["pop-imap-frontend"] = pop_imap_frontend.service.web(Lifecycle())
    return made


def routes() -> list[tuple[str, str, str]]:
    """(service, method, path) of every route and list endpoint."""
    found: set[tuple[str, str, str]] = set()
    for service, app in applications().items():
        found |= {(service, "POST", path) for path in getattr(app, "endpoints", {})}
        for route in _flat(app.routes):
            found |= {(service, method, route.path) for method in (route.methods or ()) if method != "HEAD"}
    return sorted(found)


def _flat(routes: Iterable[object]) -> Iterator[Route]:
    """The routes, those of included routers among them. Raises TypeError for a kind of route not known here."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif hasattr(route, "original_router"):  # FastAPI's own wrapper, without a public name
            yield from _flat(route.original_router.routes)
        else:
            raise TypeError(f"a route of a new kind: {route!r}")
