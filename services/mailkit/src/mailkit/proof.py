"""Proofs of login: auth signs that a mailbox's owner has logged in, mailstore demands it (docs/decisions/0040).

A proof is 44 octets: when it runs out (8, seconds since the epoch), the credential version (4), and an HMAC-SHA256 over both
and the mailbox's id. The greater of two proofs of one mailbox is the one that lasts longer. Never logged.
"""

import hmac
from collections.abc import Sequence
from uuid import UUID

from pydantic import SecretStr

from mailkit.config import secret_list
from mailkit.errors import ConfigError, Unproven

#: Seconds a proof lives. Sessions get a new one when half of that is over.
LIFE = 600
#: Seconds for which auth renews a proof that has run out: sessions outlive an outage of auth this long.
RENEWABLE = 3600
#: Characters of the shortest key.
SHORTEST_KEY = 32

_SIZE = 44
_CONTEXT = b"postrider proof 1"


class ProofKeys:
    """The keys of POSTRIDER_PROOF_KEY: the first signs, all are good."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = list(keys)

    @classmethod
    def load(cls, setting: SecretStr) -> "ProofKeys":
        """The keys of the setting, a comma list. Raises ConfigError for none, or one that is too short."""
        keys = secret_list(setting)
        if not keys or min(map(len, keys)) < SHORTEST_KEY:
            raise ConfigError(
                f"POSTRIDER_PROOF_KEY has to be set, to the same random text of {SHORTEST_KEY} or more characters "
                "for auth and mailstore (`openssl rand -hex 32` makes one)"
            )
        return cls(keys)

    def sign(self, mailbox_id: UUID, version: int, expires: float) -> bytes:
        """A proof for `mailbox_id` at credential version `version`, good until `expires` (seconds since the epoch)."""
        head = int(expires).to_bytes(8, "big") + version.to_bytes(4, "big")
        return head + _mac(self._keys[0], mailbox_id, head)

    def check(self, mailbox_id: UUID, proof: bytes, now: float, *, grace: float = 0) -> int:
        """The credential version of a good proof that ran out at most `grace` seconds ago. Raises Unproven."""
        head, mac = proof[:12], proof[12:]
        if len(proof) != _SIZE or not any(hmac.compare_digest(_mac(key, mailbox_id, head), mac) for key in self._keys):
            raise Unproven("this mailbox is opened by the proof of a login only")
        if now >= expires(proof) + grace:
            raise Unproven("the proof of login has run out")
        return int.from_bytes(head[8:], "big")


def expires(proof: bytes) -> int:
    """When a proof runs out, in seconds since the epoch; 0 for what is none."""
    return int.from_bytes(proof[:8], "big") if len(proof) == _SIZE else 0


def _mac(key: bytes, mailbox_id: UUID, head: bytes) -> bytes:
    return hmac.digest(key, _CONTEXT + mailbox_id.bytes + head, "sha256")
