"""The rules for tokens of the operators' API: made, rotated, revoked (docs/decisions/0117)."""

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from auth.admin.accounts import domain_name
from auth.admin.plan_models import proper_name
from auth.admin.questions import Question
from auth.storage.tokens import NewToken, TokenRows
from mailkit.errors import BadRequest, Forbidden
from mailkit.ids import new_id
from mailkit.process.clock import Clock
from mailkit.rpc.authority import ISSUED, unauthorised
from mailkit.rpc.caller import Caller, Role

#: Octets of a token that are random. They cannot be guessed, so a fast hash of them is enough.
SECRET_OCTETS = 32
#: Longest time for which a rotated token's old text is accepted (seconds).
MOST_KEEP = 30 * 86400
Name = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[int, Field(ge=0, le=MOST_KEEP)]


class IssuedToken(BaseModel):
    """A token. Its text is shown once, when it is made."""

    id: UUID
    name: str
    role: Role
    customer: str | None = Field(
        description="its owner; a token without a domain sees and changes this customer's only"
    )
    domain: str | None = Field(description="it sees and changes nothing else")
    made_by: str = Field(description="name of the token that made it; admin: POSTRIDER_ADMIN_TOKEN")
    created_at: datetime
    expires_at: datetime | None
    old_until: datetime | None = Field(description="until then the text from before its last rotation is accepted")


class MadeToken(IssuedToken):
    token: str = Field(description="the text, shown this once")


class NewTokenQuestion(Question):
    """`customer`, `domain`: what it is confined to, which role customer and domain need, and read-only may have."""

    name: Name
    role: Literal["operator", "customer", "domain", "read-only"]
    customer: str | None = None
    domain: str | None = None
    expires_at: AwareDatetime | None = None


class RotateToken(Question):
    keep_seconds: Seconds = Field(default=86400, description="how long the old text is accepted beside the new one")


class CallerRecord(BaseModel):
    """The token of the request."""

    role: Role
    name: str
    token_id: UUID | None = Field(description="null: POSTRIDER_ADMIN_TOKEN")
    customer_id: UUID | None
    domain: str | None
    expires_at: datetime | None


class TokenRules:
    """The JSON API's operations on tokens, and the look-up of a request's token."""

    def __init__(self, store: TokenRows, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def caller(self, text: bytes) -> Caller:
        """Return the caller of a request's token. Raises Unauthorised, Unavailable (the database)."""
        found = await self._store.caller(_hash(text), self._clock.now())
        if found is None:
            raise unauthorised()
        return found

    async def add(self, caller: Caller, question: NewTokenQuestion) -> MadeToken:
        """Make a token; it ends when its maker's does, at the latest, and sees no more."""
        domain = domain_name(question.domain) if question.domain is not None else None
        customer = proper_name(question.customer) if question.customer is not None else None
        if caller.confined and question.role == "operator":
            raise Forbidden("only an operator makes an operator's token")
        if caller.customer is not None and customer:
            raise BadRequest("this token makes tokens of its own customer; leave the customer out")
        if question.role == "operator" and (domain or customer):
            raise BadRequest(
                "an operator's token is for everything; leave domain and customer out, or choose another role"
            )
        if question.role == "customer" and (domain or not (customer or caller.customer)):
            raise BadRequest("a customer's token is for one customer, and for no single domain")
        if question.role == "domain" and domain is None:
            raise BadRequest("say which domain the token is for")
        now = self._clock.now()
        if question.expires_at is not None and question.expires_at <= now:
            raise BadRequest("expires_at is in the past")
        if (
            caller.expires_at is not None
            and (question.expires_at or datetime.max.replace(tzinfo=UTC)) > caller.expires_at
        ):
            raise Forbidden(
                f"a token ends when the one that makes it does, at the latest: {caller.expires_at.isoformat(timespec='seconds')}"
            )
        text = _text()
        made = NewToken(
            new_id(),
            question.name,
            question.role,
            caller.customer,
            domain,
            caller.name,
            now,
            question.expires_at,
            _hash(text),
        )
        await self._store.add(made, customer)
        return MadeToken(**await self._store.token(made.id), token=text.decode())

    async def tokens(self, caller: Caller, domain: str | None, after: str, limit: int) -> list[IssuedToken]:
        """Return tokens, the oldest first; `after`: an id. Raises BadRequest."""
        try:
            above = UUID(after or "0" * 32)
        except ValueError:
            raise BadRequest("after is not a token's id") from None
        name = domain_name(domain) if domain is not None else caller.domain
        return [IssuedToken(**row) for row in await self._store.tokens(caller.customer, name, above, limit)]

    async def rotate(self, token: UUID, question: RotateToken) -> MadeToken:
        """Give a token another text; return it. Raises NotFound."""
        text = _text()
        await self._store.rotate(token, _hash(text), self._clock.now() + timedelta(seconds=question.keep_seconds))
        return MadeToken(**await self._store.token(token), token=text.decode())

    async def revoke(self, token: UUID) -> None:
        """Revoke a token: requests with it are refused at once. Raises NotFound."""
        await self._store.revoke(token)


def record_of(caller: Caller) -> CallerRecord:
    return CallerRecord(
        role=caller.role,
        name=caller.name,
        token_id=caller.token_id,
        customer_id=caller.customer,
        domain=caller.domain,
        expires_at=caller.expires_at,
    )


def _text() -> bytes:
    return ISSUED + base64.urlsafe_b64encode(secrets.token_bytes(SECRET_OCTETS)).rstrip(b"=")


def _hash(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
