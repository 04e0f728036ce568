-- name: grants
delete from auth.grants where expires_at < $1

-- name: operations
-- Their answers go with them.
delete from auth.operations where made_at < $1

-- name: login_failures
delete from auth.login_failures where window_started < $1

-- name: login_networks
delete from auth.login_networks where seen_at < $1

-- name: relay_use
delete from auth.relay_use where hour < $1
