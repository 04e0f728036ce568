-- name: grants
delete from auth.grants where expires_at < $1

-- name: operations
-- Their answers go with them.
delete from auth.operations where made_at < $1

-- name: login_failures
delete from auth.login_failures where window_started < $1

-- name: login_networks
delete from auth.login_networks where seen_at < $1

-- name: scram_verifiers
-- At most a slice: the next round removes more.
delete from auth.scram_verifiers where mailbox_id in (
    select mailbox_id from auth.scram_verifiers where made_at < $1 order by mailbox_id limit 10000)

-- name: remembered_passwords
-- At most a slice: the next round removes more.
delete from auth.remembered_passwords where mailbox_id in (
    select mailbox_id from auth.remembered_passwords where made_at < $1 order by made_at limit 10000)

-- name: relay_use
delete from auth.relay_use where hour < $1

-- name: relay_rates
delete from auth.relay_rates where at < $1
