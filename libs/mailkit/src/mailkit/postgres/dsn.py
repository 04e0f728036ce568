"""The address of the database: a URL, or the mounted folder of a secret, completed by single settings.

The password is in a file or in the variable with the URL, and in no message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import Field, SecretStr

from mailkit.errors import ConfigError
from mailkit.process.config import ServiceSettings

#: File names in a secret of CloudNativePG, Crunchy, Zalando, Crossplane or made by hand; the first found is used.
_URI = ("uri", "url", "DATABASE_URL")
_KEYS = {
    "host": ("host", "endpoint"),
    "port": ("port",),
    "name": ("dbname", "database"),
    "user": ("username", "user"),
    "password": ("password",),
}
#: The certificate authority to verify the server with (`sslmode` verify-ca and verify-full), if the secret has one.
_CA = "ca.crt"


@dataclass(frozen=True)
class DatabaseAddress:
    """The parts of a URL. `hosts` as in the URL: `host:port`, several with commas; a socket's folder is in `query`."""

    user: str = ""
    password: str = ""
    hosts: str = ""
    name: str = ""
    query: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str, setting: str) -> "DatabaseAddress":
        """Parse a Postgres URL. Raises ConfigError naming `setting`."""
        split = urlsplit(url)
        if split.scheme not in ("postgres", "postgresql"):
            raise ConfigError(f"{setting} is not a Postgres URL")
        login, _, hosts = split.netloc.rpartition("@")
        user, _, password = login.partition(":")
        return cls(unquote(user), unquote(password), hosts, unquote(split.path[1:]), tuple(parse_qsl(split.query)))

    @property
    def url(self) -> str:
        """The URL in the form asyncpg accepts."""
        login = quote(self.user, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        query = f"?{urlencode(self.query, quote_via=quote, safe='/')}" if self.query else ""
        return f"postgresql://{login}{'@' if login else ''}{self.hosts}/{quote(self.name, safe='')}{query}"

    def at(self, host: str, port: int | None) -> "DatabaseAddress":
        """Return the same database at another host, port or both; an empty host and None change nothing."""
        if host:
            query = tuple((name, value) for name, value in self.query if name not in ("host", "port"))
            host = f"[{host}]" if ":" in host and not host.startswith("[") else host
            return replace(self, hosts=f"{host}:{port or _port(self.hosts)}", query=query)
        if port:
            hosts = ",".join(f"{_host(each)}:{port}" for each in self.hosts.split(","))
            return replace(self, hosts=hosts)
        return self

    def with_setting(self, name: str, value: str) -> "DatabaseAddress":
        """Return the place with `name` in the query set to `value`."""
        return replace(self, query=(*((n, v) for n, v in self.query if n != name), (name, value)))


def _host(spec: str) -> str:
    return spec[: spec.rindex("]") + 1] if spec.startswith("[") else spec.partition(":")[0]


def _port(hosts: str) -> str:
    first = hosts.split(",")[0]
    return first[len(_host(first)) :].lstrip(":") or "5432"


def where(url: str) -> str:
    """Return `user at host:port/name` of a URL, for messages: never the password. Raises ConfigError."""
    place = DatabaseAddress.parse(url, "POSTRIDER_DATABASE_URL")
    hosts = place.hosts or dict(place.query).get("host", "localhost")
    return f"{place.user or 'nobody'} at {hosts}/{place.name}"


def from_secret(folder: Path) -> DatabaseAddress:
    """Read the folder of a secret; missing parts are empty. Raises ConfigError."""

    def read(names: tuple[str, ...]) -> str:
        for name in names:
            try:
                return (folder / name).read_text().strip()
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"POSTRIDER_DATABASE_SECRET: {folder / name} cannot be read ({type(error).__name__})"
                ) from None
        return ""

    if not folder.is_dir():
        raise ConfigError(f"POSTRIDER_DATABASE_SECRET: there is no folder {folder}; mount the database's secret there")
    found = {part: read(names) for part, names in _KEYS.items()}
    uri = read(_URI)
    place = DatabaseAddress.parse(uri, "POSTRIDER_DATABASE_SECRET: its uri") if uri else DatabaseAddress()
    place = replace(
        place,
        user=place.user or found["user"],
        password=place.password or found["password"],
        name=place.name or found["name"],
    )
    if not place.hosts and "host" not in dict(place.query) and found["host"]:
        place = place.at(found["host"], _number(found["port"]))
    if (folder / _CA).exists() and "sslrootcert" not in dict(place.query):
        place = place.with_setting("sslrootcert", str(folder / _CA))
    return place


def _number(text: str) -> int | None:
    if text and not text.isdecimal():
        raise ConfigError("POSTRIDER_DATABASE_SECRET: its port is not a number")
    return int(text) if text else None


class DatabaseSettings(ServiceSettings):
    """Settings of services that own data about their database."""

    database_url: SecretStr = SecretStr("")
    """Postgres, as one URL. Feeds need session connections: no transaction pooler in between."""
    database_secret: str = ""
    """Folder of a mounted secret instead of the URL: `uri`, or `host`, `port`, `dbname`, `username`, `password`."""
    database_host: str = ""
    """Replaces the host in the URL or secret."""
    database_port: int | None = Field(default=None, ge=1, le=65535)
    """Replaces the port in the URL or secret."""
    database_name: str = ""
    """Replaces the database in the URL or secret."""
    database_sslmode: Literal["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = ""
    """Replaces the sslmode in the URL or secret."""
    database_roles: str = ""
    """Folder with the passwords of the roles that `migrate` creates: files `auth`, `queue`, `mailstore`."""
    schema_wait_seconds: float = Field(default=300, gt=0)
    """Seconds that `wait-schema` waits for a schema that this code may run on."""

    @cached_property
    def dsn(self) -> str:
        """The URL of the database; empty if no setting names one. Raises ConfigError."""
        url = self.database_url.get_secret_value()
        changed = bool(self.database_host or self.database_port or self.database_name or self.database_sslmode)
        if url and self.database_secret:
            raise ConfigError("POSTRIDER_DATABASE_URL and POSTRIDER_DATABASE_SECRET are both set; unset one of them")
        if url and not changed:
            return url
        if not url and not self.database_secret:
            return ""
        place = DatabaseAddress.parse(url, "POSTRIDER_DATABASE_URL") if url else from_secret(Path(self.database_secret))
        place = place.at(self.database_host, self.database_port)
        if self.database_name:
            place = replace(place, name=self.database_name)
        if self.database_sslmode:
            place = place.with_setting("sslmode", self.database_sslmode)
        missing = _missing(place)
        if missing:
            raise ConfigError(f"the database's secret has no {missing}, and no setting gives it")
        return place.url


class BodiesSettings(DatabaseSettings):
    """Settings of services that also read or write bodies."""

    bodies_database_url: SecretStr = SecretStr("")
    """Postgres with the schema `bodies`, as a URL; the database above if unset."""

    @property
    def bodies_dsn(self) -> str:
        """The URL of the database with the bodies. Raises ConfigError."""
        return self.bodies_database_url.get_secret_value() or self.dsn


def _missing(place: DatabaseAddress) -> str:
    """Return the first part that a connection needs and `place` lacks, in words; empty if there is none."""
    parts: Mapping[str, str] = {
        "user (key username or user)": place.user,
        "host (key host, or POSTRIDER_DATABASE_HOST)": place.hosts or dict(place.query).get("host", ""),
        "database (key dbname, or POSTRIDER_DATABASE_NAME)": place.name,
    }
    return next((words for words, value in parts.items() if not value), "")
