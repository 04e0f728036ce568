"""The issuer of access tokens, as the settings name it."""

from collections.abc import Sequence
from dataclasses import dataclass

#: Signatures that may be taken: those with a public key.
SIGNATURES = {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)} | {"EdDSA"}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken, and what they have to say. `claim`: names the mailbox; `scopes`: each is required."""

    name: str
    audience: str
    scopes: frozenset[str]
    algorithms: Sequence[str]
    claim: str
