"""The public keys of the issuer of access tokens: fetched when they are needed, kept while the issuer is away."""

import asyncio
import time
from collections.abc import Callable

import aiohttp
import msgspec
from joserfc.jwk import KeySet

from auth import metrics
from mailkit.errors import Unavailable
from mailkit.process.report import report

#: Age at which keys are fetched again, and after which those that could not be are no longer used (seconds).
FRESH, USABLE = 600.0, 24 * 3600.0
#: Least time between two fetches (seconds): tokens with made-up keys cause no more.
BETWEEN = 15.0
#: Limits of a fetch: seconds, octets, keys.
PATIENCE, LARGEST, MOST_KEYS = 5.0, 256 * 1024, 50


class IssuerKeys:
    """The key set at a URL. One fetch runs at a time, and all who wait for it get its result."""

    def __init__(self, url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._fetched = self._tried = float("-inf")
        self._fetch: asyncio.Task[None] | None = None

    async def get(self) -> KeySet:
        """Return the keys, at most FRESH old if the issuer answers. Raises Unavailable if there are none that may be used."""
        if self._age() > FRESH:
            await self.refresh()
        if self._keys is None or self._age() > USABLE:
            raise Unavailable("the issuer of access tokens does not answer")
        return self._keys

    async def refresh(self) -> bool:
        """Fetch the keys again, unless that was tried BETWEEN ago; return whether they are newer now."""
        before = self._fetched
        if self._fetch is None:
            if self._monotonic() - self._tried < BETWEEN:
                return False
            self._tried = self._monotonic()
            self._fetch = asyncio.get_running_loop().create_task(self._load())
        await asyncio.shield(self._fetch)
        return self._fetched > before

    def _age(self) -> float:
        return self._monotonic() - self._fetched

    async def _load(self) -> None:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session,
                session.get(self._url, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise ValueError(f"status {answer.status}")
                text = await answer.content.read(LARGEST + 1)
                while len(text) <= LARGEST and (more := await answer.content.read(LARGEST)):
                    text += more
            self._keys = _keys(text)
            self._fetched = self._monotonic()
            metrics.KEY_FETCHES.labels("ok").inc()
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            metrics.KEY_FETCHES.labels("failed").inc()
            report(Unavailable(f"keys of the issuer of access tokens: {type(error).__name__}"), "issuer")
        finally:
            self._fetch = None


def _keys(text: bytes) -> KeySet:
    """Read a key set; keys of kinds that are not known here, and secret ones, are left out. Raises ValueError."""
    if len(text) > LARGEST:
        raise ValueError("the key set is too long")
    found = msgspec.json.decode(text, type=dict[str, object]).get("keys")
    if not isinstance(found, list) or len(found) > MOST_KEYS:
        raise ValueError(f"a key set has a list of at most {MOST_KEYS} keys")
    usable = [key for key in found if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP")]
    return KeySet.import_key_set({"keys": usable})
