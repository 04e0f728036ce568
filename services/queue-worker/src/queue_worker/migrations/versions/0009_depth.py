"""The number of recipients under way, kept by triggers, so that no replica counts them (docs/decisions/0065)."""

from alembic import op

revision = "0009"
down_revision = "0008"
#: The triggers see the writes of any code.
min_code = 2

STATEMENTS = (
    """
    create table queue.depth_change (
        id bigint generated always as identity primary key, local bigint not null, remote bigint not null
    )
    """,
    "comment on table queue.depth_change is 'Recipients that entered or left; the sum is the depth. Rows are summed up now and then'",
    """
    create function queue.note_depth() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
    begin
        insert into queue.depth_change (local, remote)
        select sign * count(mailbox_id), sign * (count(*) - count(mailbox_id))
          from changed, (select case tg_op when 'INSERT' then 1 else -1 end as sign) s
         group by sign;
        return null;
    end $$
    """,
    "create trigger recipient_entered after insert on queue.recipient referencing new table as changed "
    "for each statement execute function queue.note_depth()",
    "create trigger recipient_left after delete on queue.recipient referencing old table as changed "
    "for each statement execute function queue.note_depth()",
    # the triggers' lock admits no other writer until the end of this transaction
    "insert into queue.depth_change (local, remote) "
    "select count(mailbox_id), count(*) - count(mailbox_id) from queue.recipient",
)


def upgrade() -> None:
    """Create the table and the triggers, and count once."""
    for statement in STATEMENTS:
        op.execute(statement)
