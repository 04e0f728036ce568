"""Logins of a service's clients: the mechanisms that it offers, and lists to auth by password and by SCRAM."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol
from uuid import UUID

from auth_api.wire import Login, LoginAnswer, ScramLogin, ScramOffer, ScramQuestion, TokenLogin
from mailkit.errors import Unavailable
from mailkit.mail import oauth, scram
from mailkit.mail.sasl import MECHANISMS, Exchange, Password
from mailkit.mail.scram import NAME, Offer, Proof
from mailkit.rpc.batch import Batcher

Given = Password | Proof | oauth.Token
"""What a client shows: its password, a proof of it, or an access token."""
Mechanism = Callable[[Exchange], Awaitable[Given]]

#: Lists of logins are short, since each may wait for hashes.
_FLIGHTS, _MOST = 4, 20
#: Logins that old hosts check at the same time, each in a call and on a connection of its own: a slow host delays no others.
AT_OLD_HOSTS = 200


class LoginEndpoints(Protocol):
    """What `LoginClient` needs of `auth_api.client.AuthClient`."""

    async def logins(self, items: Sequence[Login]) -> list[LoginAnswer]: ...
    async def old_host_logins(self, items: Sequence[Login]) -> list[LoginAnswer]: ...
    async def scram_offers(self, items: Sequence[ScramQuestion]) -> list[ScramOffer]: ...
    async def token_logins(self, items: Sequence[TokenLogin]) -> list[LoginAnswer]: ...
    async def scram_logins(self, items: Sequence[ScramLogin]) -> list[LoginAnswer]: ...


class LoginClient:
    """`with_scram`: offer SCRAM-SHA-256. `with_oauth`: offer OAUTHBEARER and XOAUTH2. `patience`: deadline of a question in seconds; then Unavailable.

    `for_old_hosts`: a client with AT_OLD_HOSTS connections, for logins that old hosts check.
    """

    def __init__(
        self,
        auth: LoginEndpoints,
        *,
        with_scram: bool = False,
        with_oauth: bool = False,
        patience: float = 9.0,
        for_old_hosts: LoginEndpoints | None = None,
    ) -> None:
        self._tokens = Batcher(auth.token_logins, flights=_FLIGHTS, most=_MOST, patience=patience)
        self._passwords = Batcher(auth.logins, flights=_FLIGHTS, most=_MOST, patience=patience)
        self._at_old_hosts = Batcher(
            (for_old_hosts or auth).old_host_logins, flights=AT_OLD_HOSTS, most=1, patience=patience
        )
        self._offers = Batcher(auth.scram_offers, flights=_FLIGHTS, patience=patience)
        self._proofs = Batcher(auth.scram_logins, flights=_FLIGHTS, most=_MOST, patience=patience)
        self.mechanisms: Mapping[str, Mechanism] = {
            **({NAME: self._scram} if with_scram else {}),
            **(oauth.MECHANISMS if with_oauth else {}),
            **MECHANISMS,
        }
        """The mechanisms by name, in the order in which they are announced."""

    async def ask(
        self, operation: UUID, protocol: Literal["smtp", "pop3", "imap"], given: Given, address: str | None
    ) -> LoginAnswer:
        """Return auth's answer to a login from the client address `address` (None: it gets no grant).

        `conclude` ends the exchange then. Raises the errors of `mailkit.rpc.client.ServiceClient.call`.
        """
        if isinstance(given, Password):
            login = Login(operation, protocol, given.user, given.password, address)
            answer = await self._passwords.ask(login)
            return answer if answer.outcome != "elsewhere" else await self._at_old_hosts.ask(login)
        if isinstance(given, oauth.Token):
            return await self._tokens.ask(TokenLogin(operation, protocol, given.user, given.token, address))
        answer = await self._proofs.ask(
            ScramLogin(
                operation,
                protocol,
                given.user,
                address,
                given.client_first,
                given.client_final,
                given.nonce,
                given.proof,
            )
        )
        if answer.outcome == "ok" and not answer.server_signature:  # a repeated operation, after its nonce's time
            raise Unavailable("auth does not answer")
        return answer

    async def _scram(self, exchange: Exchange) -> Proof:
        return await scram.scram(exchange, self._offer)

    async def _offer(self, user: str, nonce: str) -> Offer:
        answer = await self._offers.ask(ScramQuestion(user, nonce))
        return Offer(answer.salt, answer.iterations, answer.nonce)


async def conclude(exchange: Exchange, given: Given, answer: LoginAnswer) -> None:
    """Send what a mechanism still has to say after auth's answer: SCRAM's ServerSignature, or why a token is refused.

    Raises Cancelled if the client does not accept the server, Malformed, and what the connection raises.
    """
    if isinstance(given, oauth.Token) and answer.outcome == "refused":
        await oauth.refuse(exchange, given)
    await scram.conclude(exchange, answer.server_signature)
