"""An issuer of access tokens on loopback: a key set over HTTP, and tokens of its keys."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

NAME, AUDIENCE = "https://issuer.test", "mail"


class TestIssuer:
    """`keys`: those it publishes; `body`: what it answers with instead; `status`; `asked`: how often. Use as a context manager."""

    __test__ = False

    def __init__(self) -> None:
        self.keys: list[Any] = [ECKey.generate_key("P-256", parameters={"kid": "one"})]
        self.body: bytes | None = None
        self.status = 200
        self.asked = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                body = issuer.body
                if body is None:
                    body = json.dumps({"keys": [key.as_dict(private=False) for key in issuer.keys]}).encode()
                self.send_response(issuer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/jwks"

    def settings(self) -> dict[str, str]:
        """Settings, without prefix and in lower case, of a service that takes its tokens."""
        return {"oauth_issuer": NAME, "oauth_audience": AUDIENCE, "oauth_jwks_url": self.url}

    def token(self, mailbox: str, *, now: float, key: Any = None, algorithm: str = "ES256", **claims: Any) -> str:
        """A token; a claim that is None is left out."""
        key = key or self.keys[0]
        said = {"iss": NAME, "aud": AUDIENCE, "exp": int(now) + 300, "email": mailbox} | claims
        header = {"alg": algorithm, "kid": key.kid} if key.kid else {"alg": algorithm}
        return jwt.encode(
            header, {name: value for name, value in said.items() if value is not None}, key, algorithms=[algorithm]
        )

    def __enter__(self) -> "TestIssuer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
