"""Access tokens of the configured issuer (RFC 7628): signature, issuer, audience, time and scope (docs/decisions/0124)."""

from dataclasses import dataclass
from typing import Any, Literal

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from auth.issuer import Issuer
from auth.login.issuer_keys import IssuerKeys
from mailkit.errors import Unavailable
from mailkit.process.clock import Clock

#: Longest token (characters).
LONGEST = 8192
#: Seconds by which the issuer's clock may differ.
LEEWAY = 30


@dataclass(frozen=True, slots=True)
class Named:
    """What a token says. `good`: it names `mailbox`; `expired`: it was good; `away`: its issuer's keys are not known now."""

    found: Literal["good", "expired", "bad", "away"]
    mailbox: str = ""


class AccessTokens:
    """Checks tokens; without an issuer each is answered `away`."""

    def __init__(self, issuer: Issuer | None, keys: IssuerKeys | None, clock: Clock) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock

    async def check(self, token: str) -> Named:
        """Return what a token says."""
        if self._issuer is None or self._keys is None:
            return Named("away")
        if len(token) > LONGEST or not token.isascii():
            return Named("bad")
        try:
            try:
                return self._read(token, await self._keys.get(), self._issuer)
            except (InvalidKeyIdError, ValueError):  # no such key: the issuer may have a new one
                if await self._keys.refresh():
                    return self._read(token, await self._keys.get(), self._issuer)
        except Unavailable:
            return Named("away")
        except (JoseError, ValueError):
            pass
        return Named("bad")

    def _read(self, token: str, keys: KeySet, issuer: Issuer) -> Named:
        """Return what a token says. Raises JoseError, ValueError."""
        try:
            claims = jwt.decode(token, keys, algorithms=list(issuer.algorithms)).claims
            registry = jwt.JWTClaimsRegistry(
                now=int(self._clock.timestamp()),
                leeway=LEEWAY,
                iss={"essential": True, "value": issuer.name},
                aud={"essential": True, "value": issuer.audience},
                exp={"essential": True},
            )
            try:
                registry.validate(claims)
            except ExpiredTokenError:
                return Named("expired")
        except InvalidKeyIdError:
            raise
        except JoseError:
            return Named("bad")
        said = claims.get("scope", claims.get("scp", ""))
        mailbox = claims.get(issuer.claim)
        verified = claims.get("email_verified", True) if issuer.claim == "email" else True
        if not issuer.scopes <= _scopes(said) or not isinstance(mailbox, str) or not mailbox or verified is not True:
            return Named("bad")
        return Named("good", mailbox)


def _scopes(said: Any) -> frozenset[str]:
    """Return the scopes of a claim, which is a text or, at some issuers, a list."""
    if isinstance(said, str):
        return frozenset(said.split())
    return frozenset(each for each in said if isinstance(each, str)) if isinstance(said, list) else frozenset()
