"""SCRAM-SHA-256 (RFC 5802 3, RFC 7677): what a server keeps of a password, and the check of a client's proof. Pure."""

import hashlib
import hmac
from dataclasses import dataclass

#: Least iteration count (RFC 7677 4), and the greatest that clients with Cyrus SASL accept.
LEAST_ITERATIONS, MOST_ITERATIONS = 4096, 65_536


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """StoredKey and ServerKey: enough to check a login, not to make one."""

    stored: bytes
    server: bytes

    def check(self, auth_message: bytes, proof: bytes) -> bool:
        """Return whether `proof` is the ClientProof of a client that has the password."""
        signature = hmac.digest(self.stored, auth_message, "sha256")
        client = bytes(a ^ b for a, b in zip(signature, proof, strict=False))
        return hmac.compare_digest(hashlib.sha256(client).digest(), self.stored) and len(proof) == len(self.stored)

    def signature(self, auth_message: bytes) -> bytes:
        """Return the ServerSignature, by which the client knows the server."""
        return hmac.digest(self.server, auth_message, "sha256")


def derive(password: str, salt: bytes, iterations: int) -> ScramKeys:
    """Return the keys of a password that SASLprep has prepared. Takes milliseconds per thousand iterations."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return ScramKeys(hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))
