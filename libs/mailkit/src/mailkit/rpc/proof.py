"""Proofs of login: auth signs that a mailbox's owner has logged in (docs/decisions/0040, 0111).

mailstore requires the proof, and auth itself, of another kind, for DKIM signatures of mail by SMTP AUTH.

A proof is 44 octets: its expiry (8, seconds since the epoch), the credential version (4), and an HMAC-SHA256 over both and the
mailbox's id. The greater of two proofs of one mailbox expires later. Proofs are never logged.
"""

import hmac
from collections.abc import Sequence
from uuid import UUID

from pydantic import SecretStr

from mailkit.errors import ConfigError, Unproven
from mailkit.process.config import secret_list

#: Lifetime of a proof, in seconds. Sessions renew it after half of that.
LIFE = 600
#: Seconds for which auth renews an expired proof: sessions survive an outage of auth of this length.
RENEWABLE = 3600
#: Least length of a key, in characters.
SHORTEST_KEY = 32

_SIZE = 44
_CONTEXT = b"postrider proof 1"
_SENDING = b"postrider sending proof 1"


class ProofKeys:
    """The keys of POSTRIDER_PROOF_KEY: the first signs, each is accepted."""

    def __init__(self, keys: Sequence[bytes], context: bytes = _CONTEXT) -> None:
        self._keys = list(keys)
        self._context = context

    @classmethod
    def load(cls, setting: SecretStr) -> "ProofKeys":
        """Load the keys from the setting, a comma list. Raises ConfigError if it is empty or a key is too short."""
        keys = secret_list(setting)
        if not keys or min(map(len, keys)) < SHORTEST_KEY:
            raise ConfigError(
                f"POSTRIDER_PROOF_KEY has to be set, to the same random text of {SHORTEST_KEY} or more characters "
                "for auth and mailstore (`openssl rand -hex 32` makes one)"
            )
        return cls(keys)

    def for_sending(self) -> "ProofKeys":
        """Return the same keys for proofs of logins by SMTP, which open no mailbox."""
        return ProofKeys(self._keys, _SENDING)

    def derived(self, purpose: bytes) -> bytes:
        """Return a key for another purpose, made of the first key: the same in all processes that have it."""
        return hmac.digest(self._keys[0], b"postrider key for " + purpose, "sha256")

    def sign(self, mailbox_id: UUID, version: int, expires: float) -> bytes:
        """Return a proof for `mailbox_id` at credential version `version`, valid until `expires` (seconds since the epoch)."""
        head = int(expires).to_bytes(8, "big") + version.to_bytes(4, "big", signed=True)
        return head + self._mac(self._keys[0], mailbox_id, head)

    def check(self, mailbox_id: UUID, proof: bytes, now: float, *, grace: float = 0) -> int:
        """Check a proof, which may have expired at most `grace` seconds ago; return its credential version. Raises Unproven."""
        head, mac = proof[:12], proof[12:]
        if len(proof) != _SIZE or not any(
            hmac.compare_digest(self._mac(key, mailbox_id, head), mac) for key in self._keys
        ):
            raise Unproven("this mailbox is opened by the proof of a login only")
        if now >= expires(proof) + grace:
            raise Unproven("the proof of login has run out")
        return int.from_bytes(head[8:], "big", signed=True)

    def _mac(self, key: bytes, mailbox_id: UUID, head: bytes) -> bytes:
        return hmac.digest(key, self._context + mailbox_id.bytes + head, "sha256")


def expires(proof: bytes) -> int:
    """Return the expiry of a proof, in seconds since the epoch; 0 if malformed."""
    return int.from_bytes(proof[:8], "big") if len(proof) == _SIZE else 0
