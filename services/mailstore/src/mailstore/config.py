"""Settings of mailstore."""

import socket
from functools import cached_property

from pydantic import Field, SecretStr

from bodystore import ObjectSettings
from mailkit.rpc.proof import ProofKeys


class MailstoreSettings(ObjectSettings):
    """Settings of mailstore, read from its environment."""

    http_port: int = Field(default=8003, ge=0, le=65535)
    """Port of the HTTP side."""
    database_pool: int = Field(default=16, ge=2, le=200)
    """Connections to the Postgres with the schema `mailstore`; three eighths are reserved for filing."""
    token_gateway_mailstore: SecretStr = SecretStr("")
    token_queue_mailstore: SecretStr = SecretStr("")
    token_frontend_mailstore: SecretStr = SecretStr("")
    proof_key: SecretStr = SecretStr("")
    """Keys of proofs of login, the same as auth's; a comma list (docs/operate/secrets.md)."""
    max_message_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    """Largest message in octets (S7), also for APPEND."""
    mailstore_read_bytes: int = Field(default=128 * 1024 * 1024, ge=16 * 1024 * 1024)
    """Limit of message octets in memory for readers in this process; more reads wait at most 20 s (docs/decisions/0047)."""
    text_index: bool = False
    """Index the texts of folders in which BODY, TEXT or HEADER was searched, about 600 octets a message (docs/decisions/0078)."""
    queue_lifetime_seconds: int = Field(default=86400, ge=1)
    """Queue lifetime (S8); hand-over ids are kept for this time and a day more."""
    history_days: int = Field(default=8, ge=2, le=366)
    """How long the trace of messages is kept, in days; queue-worker's and auth's too."""
    message_row_bytes: int = Field(default=1024, ge=0, le=1024 * 1024)
    """Octets that each message counts against the quota besides its size, for its rows (decision 0035)."""
    mailbox_messages: int = Field(default=1_000_000, ge=1)
    """Limit of the messages in a mailbox; with that number it is full."""
    undelete_days: int = Field(default=7, ge=0, le=366)
    """Days for which expunged messages can be undeleted, in addition to the quota and up to as much again; 0: not (decision 120)."""
    trash_days: int = Field(default=0, ge=0, le=3660)
    """Days after which messages in folders for trash are expunged, from when they came there; 0: never (decision 121)."""
    junk_days: int = Field(default=0, ge=0, le=3660)
    """The same for folders for junk."""
    quota_warning_percent: int = Field(default=90, ge=0, le=100)
    """Part of its quota at which a mailbox gets one message that it is almost full; 0: none (decision 57)."""
    helo_name: str = Field(default_factory=socket.getfqdn)
    """Our name in the address from which such messages come."""
    disk_path: str = ""
    """A folder on the disk of the database, if this service can see it."""
    disk_reserve_bytes: int = Field(default=512 * 1024 * 1024, ge=0)
    """With less free space than this, new mail is refused; reading and deleting continue (decision 12)."""

    @cached_property
    def proofs(self) -> ProofKeys:
        """Parse the keys of `proof_key`. Raises ConfigError."""
        return ProofKeys.load(self.proof_key)
