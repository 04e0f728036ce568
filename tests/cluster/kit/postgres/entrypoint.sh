#!/bin/sh
# Makes the data folder when there is none, then becomes the server.
set -eu
[ "${1:-postgres}" = postgres ] || [ "${1#-}" != "$1" ] || exec "$@"
[ "${1:-}" != postgres ] || shift
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    [ -n "${POSTGRES_PASSWORD:-}" ] || { echo "no POSTGRES_PASSWORD and no POSTGRES_PASSWORD_FILE" >&2; exit 1; }
    mkdir -p "$PGDATA"
    file=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$file"
    initdb -D "$PGDATA" -U "$user" --pwfile="$file" --auth-host=scram-sha-256 --auth-local=trust -E UTF8 \
        --locale=C.UTF-8 >/dev/null || initdb -D "$PGDATA" -U "$user" --pwfile="$file" --auth-host=scram-sha-256 \
        --auth-local=trust -E UTF8 --no-locale >/dev/null
    rm -f "$file"
    printf "host all all all scram-sha-256\n" >> "$PGDATA/pg_hba.conf"
    if [ "$database" != postgres ]; then
        echo "CREATE DATABASE \"$database\"" | postgres --single -j -D "$PGDATA" postgres >/dev/null
    fi
fi
unset POSTGRES_PASSWORD
exec postgres -D "$PGDATA" -c listen_addresses='*' "$@"
