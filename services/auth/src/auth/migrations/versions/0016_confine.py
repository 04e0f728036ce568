"""Row-level security for callers that are confined to a customer or a domain (docs/decisions/0118)."""

from alembic import op

revision = "0016"
down_revision = "0015"
#: Code 0015 acts as a role that no policy confines.
min_code = 2

OF_DOMAIN = "exists (select from auth.domains d where d.name = {table}.domain)"
OF_MAILBOX = "exists (select from auth.mailboxes m where m.id = {table}.mailbox_id)"
ROWS = "select, insert, update, delete"
#: Table; rights; rows that are seen; rows that are written, if others.
CONFINED = (
    # a domain's customer has the plan that its administrator is held to as well
    (
        "customers",
        "select",
        "id = auth.scope_customer() or exists (select from auth.domains d where d.customer_id = customers.id)",
        "",
    ),
    ("plans", "select", "exists (select from auth.customers c where c.plan_id = plans.id)", ""),
    (
        "domains",
        "select, update, delete",
        "customer_id = auth.scope_customer() or name = auth.scope_domain()",
        "",
    ),
    ("mailboxes", ROWS, OF_DOMAIN, ""),
    ("forwards", ROWS, OF_DOMAIN, ""),
    (
        "dkim_keys",
        "select (id, domain, selector, algorithm, record, state, created_at, since, check_at), insert, update, delete",
        OF_DOMAIN,
        "",
    ),
    ("scram_verifiers", ROWS, OF_MAILBOX, ""),
    ("grants", "select, delete", OF_MAILBOX, ""),
    (
        "app_passwords",
        "select (number, id, mailbox_id, name, selector, protocols, networks, expires_at, created_at, last_used_at,"
        " last_used_from), insert, delete",
        OF_MAILBOX,
        "",
    ),
    (
        "tokens",
        ROWS,
        f"customer_id = auth.scope_customer() or {OF_DOMAIN}",
        f"role <> 'operator' and customer_id = auth.scope_customer() and (domain is null or {OF_DOMAIN})",
    ),
    ("token_secrets", ROWS, "exists (select from auth.tokens t where t.id = token_secrets.token_id)", ""),
    # of a domain's own time only: it may have been another customer's before; kinds that concern others are left out
    (
        "event",
        "select, insert",
        "kind ~ '^(login|mailbox|password|app_password|main_password|quota|forward|catchall|tags|identity|grant|domain_(added|closed|deleted))'"
        " and exists (select from auth.domains d"
        " where d.name = substring(event.address from '[^@]*$') and event.at >= d.created_at)",
        "true",
    ),
)


def upgrade() -> None:
    """Confine each table in a transaction of its own, so that no lock is held while another is waited for."""
    with op.get_context().autocommit_block():
        for table, rights, visible, written in CONFINED:
            given = (f"auth.{table}", rights, visible.format(table=table), written.format(table=table))
            quoted = ["'" + each.replace("'", "''") + "'" for each in given]
            op.execute(f"select auth.confine({quoted[0]}, {quoted[1]}, {quoted[2]}, nullif({quoted[3]}, ''))")
