"""The plan of a run: ports, addresses, and the environment of each service. Nothing is started here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mailkit.errors import ConfigError
from mailkit.process.config import refuse_unknown

LISTEN = "127.0.0.1"
DEMO_DOMAIN = "postrider.test"
HOST = "localhost"

#: Listener ports of the single-machine run (docs/contract.md), before POSTRIDER_PORT_OFFSET.
MAIL_PORTS = {
    "SMTP": 2525,
    "SMTPS": 2465,
    "SUBMISSION": 2587,
    "POP3": 2110,
    "POP3S": 2995,
    "IMAP": 2143,
    "IMAPS": 2993,
}
#: HTTP port, module and prefix of the URL setting's name, per service, in the order they are started.
SERVICES = {
    "auth": (8001, "auth", "AUTH"),
    "mailstore": (8003, "mailstore", "MAILSTORE"),
    "queue-worker": (8002, "queue_worker", "QUEUE"),
    "smtp-gateway": (8004, "smtp_gateway", "GATEWAY"),
    "pop-imap-frontend": (8005, "pop_imap_frontend", "FRONTEND"),
}
#: The secrets of each service: the tokens of its callers, and its own tokens for the services it calls. The two that face
#: the Internet get no database URL and no PROOF_KEY.
TOKENS = {
    "auth": ("TOKEN_GATEWAY_AUTH", "TOKEN_FRONTEND_AUTH", "TOKEN_QUEUE_AUTH", "PROOF_KEY"),
    "mailstore": ("TOKEN_GATEWAY_MAILSTORE", "TOKEN_QUEUE_MAILSTORE", "TOKEN_FRONTEND_MAILSTORE", "PROOF_KEY"),
    "queue-worker": ("TOKEN_GATEWAY_QUEUE", "TOKEN_QUEUE_MAILSTORE", "TOKEN_QUEUE_AUTH"),
    "smtp-gateway": ("TOKEN_GATEWAY_AUTH", "TOKEN_GATEWAY_MAILSTORE", "TOKEN_GATEWAY_QUEUE", "TOKEN_SIMULATE_GATEWAY"),
    "pop-imap-frontend": ("TOKEN_FRONTEND_AUTH", "TOKEN_FRONTEND_MAILSTORE"),
}
DATABASE_OWNERS = ("auth", "mailstore", "queue-worker")
#: Settings of the services that hold bodies.
OBJECTS = ("OBJECTS_URL", "OBJECTS_BUCKET", "OBJECTS_REGION", "OBJECTS_KEY_ID", "OBJECTS_SECRET")
BODY_OWNERS = ("mailstore", "queue-worker")
SECRET_NAMES = tuple(sorted({name for names in TOKENS.values() for name in names} | {"ADMIN_TOKEN"}))
#: Settings that a service gets from the launcher alone, never directly from the user's environment.
_OURS = {
    "DATABASE_URL",
    "BODIES_DATABASE_URL",
    "DATABASE_SECRET",
    "DATABASE_HOST",
    "DATABASE_PORT",
    "DATABASE_NAME",
    "DATABASE_SSLMODE",
    "DATABASE_ROLES",
    "HTTP_PORT",
    "LAUNCHER_FD",
    "PORT_OFFSET",
    "STATE",
    "DEMO_USERS",
    *OBJECTS,
    *SECRET_NAMES,
}


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first process starts."""

    state: Path
    offset: int
    environ: Mapping[str, str]

    @property
    def ports(self) -> dict[str, int]:
        """All ports by name: SMTP … IMAPS and the services' HTTP ports by service name."""
        named = {name: port + self.offset for name, port in MAIL_PORTS.items()}
        return named | {service: port + self.offset for service, (port, _, _) in SERVICES.items()}

    def url(self, service: str) -> str:
        """Return the service's HTTP address."""
        return f"http://{LISTEN}:{self.ports[service]}"

    @property
    def certificates(self) -> Path:
        return self.state / "certificates"

    @property
    def demo_domain(self) -> str:
        return self.environ.get("POSTRIDER_DEMO_DOMAIN") or DEMO_DOMAIN

    def environment(self, service: str, dsn: str, secrets: Mapping[str, str]) -> dict[str, str]:
        """Return the whole environment of one service's process."""
        env = {
            name: value
            for name, value in self.environ.items()
            if not (name.startswith("POSTRIDER_") and name.removeprefix("POSTRIDER_") in _OURS)
        }
        ours = {
            "SINGLE_MACHINE": "1",
            "LISTEN_HOST": LISTEN,
            "HTTP_HOST": LISTEN,
            "HTTP_PORT": str(self.ports[service]),
            "CERTIFICATES": str(self.certificates),
            "DISK_PATH": str(self.state),
        }
        defaults = {
            "HOST": HOST,
            "HELO_NAME": f"mail.{self.demo_domain}",
            "GRANT_ALLOW_NETWORKS": "127.0.0.0/8",
            "REMOTE_ALLOW_NETWORKS": "127.0.0.0/8",
        }
        for name in MAIL_PORTS:
            ours[f"{name}_PORT"] = str(self.ports[name])
        for other, (_, _, prefix) in SERVICES.items():
            ours[f"{prefix}_URL"] = self.url(other)
        for name in TOKENS[service]:
            ours[name] = secrets[name]
        if service in DATABASE_OWNERS:  # they have the operators' API; the two that face the Internet have neither
            ours["ADMIN_TOKEN"] = secrets["ADMIN_TOKEN"]
            ours["DATABASE_URL"] = dsn
            ours["BODIES_DATABASE_URL"] = self.environ.get("POSTRIDER_BODIES_DATABASE_URL") or dsn
        if service in BODY_OWNERS:
            given = {name: self.environ.get(f"POSTRIDER_{name}", "") for name in OBJECTS}
            ours |= {name: value for name, value in given.items() if value}
        env |= {f"POSTRIDER_{name}": value for name, value in ours.items()}
        for name, value in defaults.items():
            env.setdefault(f"POSTRIDER_{name}", value)
        return env


def make_plan(environ: Mapping[str, str] | None = None) -> Plan:
    """Make the plan from the environment. Raises ConfigError with one sentence."""
    environ = os.environ if environ is None else environ
    refuse_unknown(environ)
    text = environ.get("POSTRIDER_PORT_OFFSET") or "0"
    if not text.isdecimal() or int(text) + max(port for port, _, _ in SERVICES.values()) > 65535:
        raise ConfigError("POSTRIDER_PORT_OFFSET has to be a whole number from 0 to 57000")
    state = Path(environ.get("POSTRIDER_STATE") or ".run").absolute()
    return Plan(state, int(text), dict(environ))
