# Waits, bounded, until the bundled Postgres at $1 answers: the job's own retries are for other troubles.
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
left=300
until pg_isready --quiet --host="$1" --username=postrider; do
    left=$((left - 1))
    [ $left -gt 0 ] || { echo "the bundled Postgres at $1 did not answer within 300 s" >&2; exit 1; }
    sleep 1
done
