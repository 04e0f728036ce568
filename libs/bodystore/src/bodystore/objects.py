"""The object store: an S3-compatible service, with a deadline for each request and a limit of requests at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit

from prometheus_client import Counter, Histogram
from pydantic import SecretStr

from mailkit.errors import ConfigError, Unavailable
from mailkit.postgres.dsn import BodiesSettings
from mailkit.process.metrics import from_zero

#: Requests of a process at a time; further ones wait within their deadline.
REQUESTS = 32
#: Seconds of a read of ranges, and of a request for a whole object.
READ_SECONDS, WHOLE_SECONDS = 10.0, 40.0

_KINDS = ("put", "get", "ranges", "delete")
SECONDS = from_zero(
    Histogram(
        "postrider_objects_seconds",
        "Time of a request to the object store, by kind: put, get, ranges, delete",
        ["kind"],
        buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 40),
    ),
    _KINDS,
)
FAILED = from_zero(
    Counter("postrider_objects_failed_total", "Requests to the object store that failed, by kind", ["kind"]), _KINDS
)


class ObjectSettings(BodiesSettings):
    """Settings of services that read or move bodies in an object store (docs/decisions/0138)."""

    objects_url: str = ""
    """S3-compatible service to which bodies move after a day, `https://host:port`; empty: bodies stay in Postgres."""
    objects_bucket: str = ""
    """Bucket of the packs; it exists, and nothing else is in it."""
    objects_region: str = "us-east-1"
    """Region that requests are signed for."""
    objects_key_id: SecretStr = SecretStr("")
    """Access key id of the object store."""
    objects_secret: SecretStr = SecretStr("")
    """Secret access key of the object store."""

    def objects(self) -> "Objects | None":
        """Return the object store; None if there is none. Raises ConfigError."""
        if not self.objects_url:
            return None
        parts = urlsplit(self.objects_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ConfigError("POSTRIDER_OBJECTS_URL: write it as https://host:port, without a user")
        missing = [name for name in ("bucket", "key_id", "secret") if not _text(getattr(self, f"objects_{name}"))]
        if missing:
            raise ConfigError(f"POSTRIDER_OBJECTS_URL is set, so POSTRIDER_OBJECTS_{missing[0].upper()} must be too")
        return Objects(self)


class Objects:
    """The objects of one bucket, by name. Every method raises Unavailable if the store does not do what was asked.

    A missing object is such an error too: a wrong bucket must not pass for lost mail.
    """

    def __init__(self, settings: ObjectSettings) -> None:
        # loaded only where an object store is used: it takes 7 MB
        import obstore  # noqa: PLC0415
        from obstore.store import S3Store  # noqa: PLC0415

        self._obstore = obstore
        self._requests = asyncio.Semaphore(REQUESTS)
        self._store = S3Store(
            settings.objects_bucket,
            endpoint=settings.objects_url,
            region=settings.objects_region,
            access_key_id=settings.objects_key_id.get_secret_value(),
            secret_access_key=settings.objects_secret.get_secret_value(),
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": settings.objects_url.startswith("http:"),
                "connect_timeout": "3s",
                "timeout": f"{WHOLE_SECONDS:.0f}s",
            },
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=READ_SECONDS)},
        )

    async def put(self, name: str, octets: bytes) -> None:
        """Store an object; it is durable on return."""
        async with self._request("put", WHOLE_SECONDS):
            await self._obstore.put_async(self._store, name, octets, use_multipart=False)

    async def get(self, name: str) -> bytes:
        """Return a whole object."""
        async with self._request("get", WHOLE_SECONDS):
            answer = await self._obstore.get_async(self._store, name)
            return bytes(await answer.bytes_async())
        raise AssertionError  # pragma: no cover - the block returns or raises

    async def ranges(self, name: str, starts: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
        """Return ranges of an object; those close to each other are one request."""
        async with self._request("ranges", READ_SECONDS):
            found = await self._obstore.get_ranges_async(self._store, name, starts=list(starts), lengths=list(lengths))
            return [bytes(each) for each in found]
        raise AssertionError  # pragma: no cover - the block returns or raises

    async def delete(self, names: Sequence[str]) -> None:
        """Delete objects; one that does not exist is no error."""
        async with self._request("delete", WHOLE_SECONDS):
            await self._obstore.delete_async(self._store, list(names))

    @asynccontextmanager
    async def _request(self, kind: str, seconds: float) -> AsyncIterator[None]:
        try:
            with SECONDS.labels(kind).time():
                async with asyncio.timeout(seconds), self._requests:
                    yield
        except TimeoutError:
            FAILED.labels(kind).inc()
            raise Unavailable(f"the object store did not answer within {seconds:.0f} seconds") from None
        except (self._obstore.exceptions.BaseError, OSError) as error:
            FAILED.labels(kind).inc()
            # the rest of the text is the library's debugging output
            raise Unavailable(f"object store: {str(error).partition(chr(10))[0][:300]}") from None


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
