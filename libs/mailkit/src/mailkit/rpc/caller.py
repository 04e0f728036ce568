"""Who sends an operators' request: an operator, a customer, a domain's administrator, or a reader (docs/decisions/0117)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Role = Literal["operator", "customer", "domain", "read-only"]
#: What each role is called in sentences.
ROLES: dict[Role, str] = {
    "operator": "an operator",
    "customer": "a customer",
    "domain": "a domain's administrator",
    "read-only": "a reader",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request.

    `name`: of its token, for the audit. `customer`, `domain`: it sees and changes nothing else; None: everything.
    """

    role: Role
    name: str
    token_id: UUID | None = None
    customer: UUID | None = None
    domain: str | None = None
    expires_at: datetime | None = None

    @property
    def confined(self) -> bool:
        """Whether it sees only a part of the rows."""
        return self.customer is not None or self.domain is not None

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.role != "read-only"

    @property
    def described(self) -> str:
        """Return its role in words, for sentences."""
        return f"the administrator of {self.domain}" if self.role == "domain" else ROLES[self.role]


#: The caller with POSTRIDER_ADMIN_TOKEN, the first operator.
FIRST_OPERATOR = Caller("operator", "admin")
