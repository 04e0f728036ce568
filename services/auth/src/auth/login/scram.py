"""SCRAM-SHA-256 (RFC 5802, RFC 7677): offers, nonces, verifiers and the check of proofs (docs/decisions/0061)."""

import base64
import hmac
import os
from collections.abc import Sequence
from contextlib import suppress

from auth.login.names import LoginNames
from auth.login.passwords import HashQueue, QueueFull
from auth.storage.verifiers import Verifier, VerifierRows
from auth_api.wire import ScramLogin, ScramOffer, ScramQuestion
from mailkit.mail.saslprep import saslprep
from mailkit.mail.scram import auth_message
from mailkit.mail.scram_keys import ScramKeys, derive
from mailkit.postgres.rows import Row
from mailkit.process.clock import Clock

#: How long a nonce can be used (seconds): longer than any client is given for its answer.
NONCE_LIFE = 600
#: Parts of the server's nonce (octets), and its length in base64 (characters).
_TIME, _RANDOM, _MAC = 8, 15, 16
_NONCE = (_TIME + _RANDOM + _MAC) // 3 * 4


class Scram:
    """SCRAM for all replicas: nothing of an exchange is kept, so its two steps may reach different ones.

    A salt is an HMAC of the account's name, for accounts that do not exist too: an offer reads no row and reveals nothing.
    A nonce carries its time and an HMAC. With `on` False no verifier is made and no proof is right.
    """

    def __init__(
        self, store: VerifierRows, clock: Clock, queue: HashQueue, names: LoginNames, *, on: bool, iterations: int
    ) -> None:
        self._store = store
        self._names = names
        self._clock = clock
        self._queue = queue
        self.on = on
        self._iterations = iterations
        self._secret = b""
        self._nobody = ScramKeys(os.urandom(32), os.urandom(32))

    async def ready(self) -> None:
        """Read the secret, once. Raises Unavailable."""
        self._secret = self._secret or await self._store.secret()

    async def offers(self, items: Sequence[ScramQuestion]) -> list[ScramOffer]:
        """Return one offer per question, in order. Raises Unavailable."""
        await self.ready()
        now = int(self._clock.timestamp())
        answers = []
        accounts = await self._names.accounts([item.login for item in items])
        for item, account in zip(items, accounts, strict=True):
            nonce = self._nonce(now, os.urandom(_RANDOM), account, item.client_nonce)
            answers.append(ScramOffer(self._salt(account), self._iterations, nonce))
        return answers

    def signature(self, login: ScramLogin, account: str, row: Row) -> bytes:
        """Return the ServerSignature for a right proof, b"" for a wrong one: at the same cost, whatever the account.

        `ready` has to be called before.
        """
        lacking = self.lacks(row, account)  # first: it costs an HMAC
        good = row["state"] == "enabled" and row["main_password"] and not lacking
        keys = ScramKeys(row["scram_stored"], row["scram_server"]) if good else self._nobody
        message = auth_message(
            login.client_first, login.nonce, self._salt(account), self._iterations, login.client_final
        )
        right, signature = keys.check(message, login.proof), keys.signature(message)
        return signature if self._issued(login.nonce, account) and right and good else b""

    def lacks(self, row: Row, account: str) -> bool:
        """Return whether the account has no verifier of its present password, made as offers have it."""
        made_as = row["credential_version"], self._iterations, self._salt(account)
        return (row["scram_version"], row["scram_iterations"], row["scram_salt"]) != made_as or not self.on

    async def verifier(self, account: str, password: str) -> Verifier | None:
        """Return the verifier of a password; None if none is to be kept, or SASLprep does not allow the password.

        Raises QueueFull, Unavailable.
        """
        try:
            prepared = saslprep(password, stored=True)
        except ValueError:
            return None
        if not self.on or not prepared:
            return None
        await self.ready()
        salt = self._salt(account)
        keys = await self._queue.run(lambda: derive(prepared, salt, self._iterations))
        return Verifier(salt, self._iterations, keys)

    async def keep(self, right: Sequence[tuple[Row, str, str]]) -> None:
        """Keep verifiers for accounts that have none: (row, account, right password). Raises Unavailable.

        An account is left out if the queue of hashes is full; its next login makes up for it.
        """
        if not self.on or not right:
            return
        await self.ready()
        lacking = {row["id"]: (row, account, password) for row, account, password in right if self.lacks(row, account)}
        made = []
        for row, account, password in lacking.values():
            with suppress(QueueFull):
                if verifier := await self.verifier(account, password):
                    made.append((row["id"], row["credential_version"], verifier))
        if made:
            await self._store.keep(made)

    def _salt(self, account: str) -> bytes:
        return hmac.digest(self._secret, b"scram salt\0" + account.encode("utf-8", "surrogatepass"), "sha256")[:16]

    def _nonce(self, made: int, random: bytes, account: str, client: str) -> str:
        """Return the server's part of a nonce: its time, random octets, and an HMAC over both, the account and the client's part."""
        head = made.to_bytes(_TIME, "big") + random
        message = b"\0".join(
            [b"scram nonce", head, account.encode("utf-8", "surrogatepass"), client.encode("utf-8", "surrogatepass")]
        )
        return base64.b64encode(head + hmac.digest(self._secret, message, "sha256")[:_MAC]).decode()

    def _issued(self, nonce: str, account: str) -> bool:
        """Return whether `nonce` was offered to `account` within NONCE_LIFE."""
        client, server = nonce[:-_NONCE], nonce[-_NONCE:]
        try:
            raw = base64.b64decode(server, validate=True)
        except ValueError:
            return False
        made = int.from_bytes(raw[:_TIME], "big")
        expected = self._nonce(made, raw[_TIME : _TIME + _RANDOM], account, client)
        fresh = abs(self._clock.timestamp() - made) < NONCE_LIFE
        return hmac.compare_digest(expected.encode(), server.encode()) and fresh
