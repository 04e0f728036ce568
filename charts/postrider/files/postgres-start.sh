# Starts the bundled Postgres under any user id, from Debian's or Alpine's folders, on a read-only root.
set -eu
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
export PGDATA=/var/lib/postgresql/data/pgdata
if ! [ -s "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA.new"  # a first start that was cut off
    initdb --pgdata="$PGDATA.new" --username=postrider --pwfile=/etc/postrider/database/password \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --data-checksums
    echo "host all all all scram-sha-256" >> "$PGDATA.new/pg_hba.conf"
    echo "CREATE DATABASE postrider" | postgres --single -D "$PGDATA.new" postgres
    mv "$PGDATA.new" "$PGDATA"
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
