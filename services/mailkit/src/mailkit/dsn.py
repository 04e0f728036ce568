"""Where the database is: one URL, or a secret's mounted folder as operators produce it, completed by single settings.

A password is in a file or in the URL's variable, and in no sentence that is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import Field, SecretStr

from mailkit.config import ServiceSettings
from mailkit.errors import ConfigError

#: File names of a secret, first found wins: CloudNativePG, Crunchy, Zalando, Crossplane and hand-made ones.
_URI = ("uri", "url", "DATABASE_URL")
_KEYS = {
    "host": ("host", "endpoint"),
    "port": ("port",),
    "name": ("dbname", "database"),
    "user": ("username", "user"),
    "password": ("password",),
}
#: The certificate authority to check the server with (`sslmode` verify-ca and verify-full), where the secret has one.
_CA = "ca.crt"


@dataclass(frozen=True)
class Place:
    """The parts of a URL. `hosts` as they stand in it: `host:port`, several with commas, a socket's folder in `query`."""

    user: str = ""
    password: str = ""
    hosts: str = ""
    name: str = ""
    query: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str, setting: str) -> "Place":
        """Raises ConfigError naming `setting`."""
        split = urlsplit(url)
        if split.scheme not in ("postgres", "postgresql"):
            raise ConfigError(f"{setting} is not a Postgres URL")
        login, _, hosts = split.netloc.rpartition("@")
        user, _, password = login.partition(":")
        return cls(unquote(user), unquote(password), hosts, unquote(split.path[1:]), tuple(parse_qsl(split.query)))

    @property
    def url(self) -> str:
        """As asyncpg takes it."""
        login = quote(self.user, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        query = f"?{urlencode(self.query, quote_via=quote, safe='/')}" if self.query else ""
        return f"postgresql://{login}{'@' if login else ''}{self.hosts}/{quote(self.name, safe='')}{query}"

    def at(self, host: str, port: int | None) -> "Place":
        """The same database at another host or port, whichever is given."""
        if host:
            query = tuple((name, value) for name, value in self.query if name not in ("host", "port"))
            host = f"[{host}]" if ":" in host and not host.startswith("[") else host
            return replace(self, hosts=f"{host}:{port or _port(self.hosts)}", query=query)
        if port:
            hosts = ",".join(f"{_host(each)}:{port}" for each in self.hosts.split(","))
            return replace(self, hosts=hosts)
        return self

    def told(self, name: str, value: str) -> "Place":
        """With `name` in the query set to `value`."""
        return replace(self, query=(*((n, v) for n, v in self.query if n != name), (name, value)))


def _host(spec: str) -> str:
    return spec[: spec.rindex("]") + 1] if spec.startswith("[") else spec.partition(":")[0]


def _port(hosts: str) -> str:
    first = hosts.split(",")[0]
    return first[len(_host(first)) :].lstrip(":") or "5432"


def where(url: str) -> str:
    """`user at host:port/name` of a URL, for sentences: never the password."""
    place = Place.parse(url, "POSTRIDER_DATABASE_URL")
    hosts = place.hosts or dict(place.query).get("host", "localhost")
    return f"{place.user or 'nobody'} at {hosts}/{place.name}"


def from_secret(folder: Path) -> Place:
    """What a secret's folder says; what it lacks is empty. Raises ConfigError."""

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
    place = Place.parse(uri, "POSTRIDER_DATABASE_SECRET: its uri") if uri else Place()
    place = replace(
        place, user=place.user or found["user"], password=place.password or found["password"],
        name=place.name or found["name"],
    )  # fmt: skip
    if not place.hosts and "host" not in dict(place.query) and found["host"]:
        place = place.at(found["host"], _number(found["port"]))
    if (folder / _CA).exists() and "sslrootcert" not in dict(place.query):
        place = place.told("sslrootcert", str(folder / _CA))
    return place


def _number(text: str) -> int | None:
    if text and not text.isdecimal():
        raise ConfigError("POSTRIDER_DATABASE_SECRET: its port is not a number")
    return int(text) if text else None


class DatabaseSettings(ServiceSettings):
    """What services that own data are told about their database."""

    database_url: SecretStr = SecretStr("")
    """Postgres, as one URL. Feeds need session connections: no transaction pooler in between."""
    database_secret: str = ""
    """Folder of a mounted secret instead: `uri`, or `host`, `port`, `dbname`, `username`, `password`."""
    database_host: str = ""
    """Instead of the host in the URL or secret."""
    database_port: int | None = Field(default=None, ge=1, le=65535)
    """Instead of the port in it."""
    database_name: str = ""
    """Instead of the database in it."""
    database_sslmode: Literal["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = ""
    """Instead of the sslmode in it."""
    database_roles: str = ""
    """Folder with the passwords of the roles that `migrate` makes: files `auth`, `queue`, `mailstore`."""
    schema_wait_seconds: float = Field(default=300, gt=0)
    """How long `wait-schema` waits for a schema that this code may run on."""

    @cached_property
    def dsn(self) -> str:
        """The database's URL; empty when nothing names one. Raises ConfigError."""
        url = self.database_url.get_secret_value()
        changed = bool(self.database_host or self.database_port or self.database_name or self.database_sslmode)
        if url and self.database_secret:
            raise ConfigError("POSTRIDER_DATABASE_URL and POSTRIDER_DATABASE_SECRET are both set; unset one of them")
        if url and not changed:
            return url
        if not url and not self.database_secret:
            return ""
        place = Place.parse(url, "POSTRIDER_DATABASE_URL") if url else from_secret(Path(self.database_secret))
        place = place.at(self.database_host, self.database_port)
        if self.database_name:
            place = replace(place, name=self.database_name)
        if self.database_sslmode:
            place = place.told("sslmode", self.database_sslmode)
        missing = _missing(place)
        if missing:
            raise ConfigError(f"the database's secret has no {missing}, and no setting gives it")
        return place.url


class BodiesSettings(DatabaseSettings):
    """The same for services that hold bodies too."""

    bodies_database_url: SecretStr = SecretStr("")
    """Postgres with the schema `bodies`; the same one when unset."""

    @property
    def bodies_dsn(self) -> str:
        """The URL of the database with the bodies. Raises ConfigError."""
        return self.bodies_database_url.get_secret_value() or self.dsn


def _missing(place: Place) -> str:
    """What a connection cannot be made without, in words."""
    parts: Mapping[str, str] = {
        "user (key username or user)": place.user,
        "host (key host, or POSTRIDER_DATABASE_HOST)": place.hosts or dict(place.query).get("host", ""),
        "database (key dbname, or POSTRIDER_DATABASE_NAME)": place.name,
    }
    return next((words for words, value in parts.items() if not value), "")
