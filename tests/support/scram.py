"""A SCRAM-SHA-256 client for tests, in base64 as mail clients send it: scramp's."""

import base64

from scramp import ScramClient


class Client:
    """One exchange. `first`, then `final` with the server's first message, then `check` with its last."""

    def __init__(self, user: str, password: str) -> None:
        self._client = ScramClient(["SCRAM-SHA-256"], user, password)

    def first(self) -> str:
        return _coded(self._client.get_client_first())

    def final(self, challenge: str) -> str:
        self._client.set_server_first(base64.b64decode(challenge).decode())
        return _coded(self._client.get_client_final())

    def check(self, challenge: str) -> None:
        """Raises an exception if the server does not have the password's verifier."""
        self._client.set_server_final(base64.b64decode(challenge).decode())


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
