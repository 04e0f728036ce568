"""Customers, to whom domains belong, and their plans (docs/decisions/0114)."""

from alembic import op

revision = "0012"
down_revision = "0011"
#: Code 0011 knows no customers: it applies no plan, and domains that it adds are the operator's own.
min_code = 2

STATEMENTS = (
    "create table auth.plans (id uuid primary key, name text not null unique, limits jsonb not null default '{}', "
    "created_at timestamptz not null)",
    "create table auth.customers (id uuid primary key, name text not null unique, "
    "plan_id uuid references auth.plans (id), created_at timestamptz not null)",
    "create index customers_plan on auth.customers (plan_id)",
    "alter table auth.domains add column customer_id uuid",
    "alter table auth.domains add constraint domains_customer_id_fkey foreign key (customer_id) references auth.customers (id)",
    "create index domains_customer on auth.domains (customer_id, name) where customer_id is not null",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
