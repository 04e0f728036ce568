"""Requests and records of plans and customers (docs/decisions/0114)."""

import unicodedata
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from auth.admin.questions import Question
from auth.limits import PlanLimits, limits_of
from mailkit.errors import BadRequest
from mailkit.postgres.rows import Row

#: Longest name of a customer or plan (characters).
LONGEST_NAME = 100


class CustomerPlan(BaseModel):
    """A plan."""

    id: UUID
    name: str
    limits: PlanLimits
    customers: int = Field(description="who have it")
    created_at: datetime


class NewPlan(Question):
    name: str
    limits: PlanLimits = Field(default_factory=lambda: PlanLimits())


class SetPlan(Question):
    """The fields that are given are set, null as well; others stay."""

    limits: PlanLimits


class Customer(BaseModel):
    """A customer, to whom domains belong."""

    id: UUID
    name: str
    plan: str | None
    domains: int
    created_at: datetime


class NewCustomer(Question):
    name: str
    plan: str | None = None


class SetCustomer(Question):
    """`plan` null: none, no limits."""

    plan: str | None


class SetDomainCustomer(Question):
    """`customer` null: the operator's own."""

    customer: str | None


def plan_of(row: Row) -> CustomerPlan:
    """Return the record of a row of `customers.sql`."""
    return CustomerPlan(**{**row, "limits": limits_of(row["limits"])})


def proper_name(text: str) -> str:
    """Return the name of a customer or plan in NFC. Raises BadRequest."""
    name = unicodedata.normalize("NFC", text[: LONGEST_NAME + 1]).strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name[0].isalnum() or not name.isprintable() or "/" in name:
        raise BadRequest(
            f"a name of a customer or plan has 1 to {LONGEST_NAME} characters, begins with a letter or digit, and has no /"
        )
    return name
