"""Password hashes: new ones are argon2id; vpopmail's crypt hashes are replaced at a login. Blocking: see HashQueue."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import argon2
from passlib.context import CryptContext

from auth import metrics
from mailkit.mail.saslprep import saslprep

T = TypeVar("T")

#: Longest password, in bytes: longer ones would only cost work.
LONGEST_PASSWORD = 1024

#: Limits of the cost that an operator's hash may ask for, so that the logins of one mailbox do not keep the threads busy:
#: rounds by kind (bcrypt: their logarithm), KiB times passes of argon2, and its lanes.
MOST_ROUNDS = {"sha512_crypt": 1_000_000, "sha256_crypt": 1_000_000, "bcrypt": 13}
MOST_ARGON2 = 1024 * 1024
MOST_LANES = 16


class Hasher(Protocol):
    """The interface of argon2-cffi; tests count its calls."""

    def hash(self, password: str) -> str: ...
    def verify(self, hash: str, password: str) -> bool: ...
    def check_needs_rehash(self, hash: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check. `replacement`: a better hash of the same password, to be stored in place of an outdated one."""

    good: bool
    replacement: str | None = None


def argon2id() -> argon2.PasswordHasher:
    """Return the hasher: m = 19 MiB, t = 2, p = 1 (OWASP's minimum), 21 ms per login (measured)."""
    return argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Passwords:
    """Makes and checks hashes, of passwords as SASLprep prepares them (RFC 4616 2, RFC 6856 2.2).

    Every failed check costs one argon2 computation, whether the account exists or not; two of a password that SASLprep
    changes, since hashes of earlier releases are of the password as it was given.
    """

    def __init__(self, hasher: Hasher | None = None) -> None:
        self._hasher = hasher or argon2id()
        self._legacy = CryptContext(
            ["md5_crypt", "sha512_crypt", "sha256_crypt", "bcrypt", "des_crypt", "ldap_salted_sha1"]
        )
        self._nobody = self._hasher.hash(os.urandom(16).hex())

    def hash(self, password: str) -> str:
        """Return a new argon2id hash."""
        return self._hasher.hash(_prepared(password))

    def known(self, stored: str) -> bool:
        """Return whether passwords can be checked against this hash, in well below a second."""
        with contextlib.suppress(ValueError, TypeError, argon2.exceptions.InvalidHashError):
            if stored.startswith("$argon2"):
                asked = argon2.extract_parameters(stored)
                return asked.memory_cost * asked.time_cost <= MOST_ARGON2 and asked.parallelism <= MOST_LANES
            handler = self._legacy.handler(self._legacy.identify(stored, required=True))
            rounds = getattr(handler.from_string(stored), "rounds", 0)
            return bool(rounds <= MOST_ROUNDS.get(handler.name, 0))
        return False

    def check(self, stored: str | None, password: str) -> Checked:
        """Check `password` against the hash `stored`; None for an account without a usable password, or no account."""
        if len(password.encode()) > LONGEST_PASSWORD or "\x00" in password:
            stored, password = None, ""
        prepared = _prepared(password)
        checked = self._check(stored, prepared)
        if prepared == password or checked.good:
            return checked
        checked = self._check(stored, password)
        return Checked(True, self.hash(password)) if checked.good else checked

    def _check(self, stored: str | None, password: str) -> Checked:
        if stored is not None and not stored.startswith("$argon2"):
            if self._verify_legacy(stored, password):
                return Checked(True, self._hasher.hash(password))
            stored = None  # the computation below is made all the same: the time must not disclose an old hash
        good = self._verify(stored or self._nobody, password) and stored is not None
        if good and stored is not None and self._hasher.check_needs_rehash(stored):
            return Checked(True, self._hasher.hash(password))
        return Checked(good)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    def _verify_legacy(self, stored: str, password: str) -> bool:
        with contextlib.suppress(ValueError, TypeError):
            return bool(self._legacy.verify(password, stored))
        return False


def _prepared(password: str) -> str:
    """Return the form that is compared; a password with prohibited characters as it is."""
    try:
        return saslprep(password) or password
    except ValueError:
        return password


class QueueFull(Exception):
    """The limit of waiting passwords is reached (decision 15: `busy`)."""


class HashQueue:
    """Runs hash computations in threads, outside the event loop; a bounded number run and wait."""

    def __init__(self, most: int, threads: int | None = None) -> None:
        self._most = most
        self._waiting = 0
        self._threads = ThreadPoolExecutor(threads or max(1, os.cpu_count() or 1), thread_name_prefix="hash")

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread and return its result. Raises QueueFull at once if too many wait."""
        if self._waiting >= self._most:
            raise QueueFull
        self._waiting += 1
        metrics.HASH_WAITING.set(self._waiting)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _timed, work)
        finally:
            self._waiting -= 1
            metrics.HASH_WAITING.set(self._waiting)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _timed(work: Callable[[], T]) -> T:
    started = time.perf_counter()
    try:
        return work()
    finally:
        metrics.HASH_SECONDS.observe(time.perf_counter() - started)
