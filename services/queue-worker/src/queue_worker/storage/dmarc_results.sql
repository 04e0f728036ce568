-- name: add
-- Add rows (day $1, domain $2, key $3, facts $4, policy $5, messages $6) at the time $7. Above $9 rows of a domain and day they count
-- in the row with the key $8, above $10 rows in all not at all. Return how many messages have no row of their own.
with given as (
    select g.*, exists (select from queue.dmarc_result k where (k.day, k.domain, k.key) = (g.day, g.domain, g.key)) as known
      from unnest($1::date[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::bigint[])
           as g(day, domain, key, facts, policy, messages)
), held as (
    select d.day, d.domain, (select count(*) from (
               select from queue.dmarc_result k where k.day = d.day and k.domain = d.domain and k.key <> $8 limit $9) as known) as rows
      from (select distinct day, domain from given) as d
), placed as (
    select g.day, g.domain, g.facts, g.policy, g.messages, g.key,
           g.known or held.rows + row_number() over (partition by g.day, g.domain, g.known order by g.key) <= $9 as of_domain,
           g.known or (select count(*) from (select from queue.dmarc_result limit $10) as k)
                      + row_number() over (partition by g.known order by g.day, g.domain, g.key) <= $10 as of_all
      from given g join held using (day, domain)
), added as (
    insert into queue.dmarc_result as r (day, domain, key, facts, policy, seen, messages)
    select day, domain, case when of_domain then key else $8 end, case when of_domain then facts else '' end,
           max(policy), $7, sum(messages)::bigint
      from placed where of_all group by 1, 2, 3, 4 order by 1, 2, 3
        on conflict (day, domain, key) do update
       set messages = r.messages + excluded.messages, policy = excluded.policy, seen = excluded.seen
)
select coalesce(sum(messages), 0)::bigint from placed where not (of_domain and of_all)

-- name: finished
select distinct day, domain from queue.dmarc_result where day < $1 and (day, domain) > ($2, $3) order by day, domain limit $4

-- name: of_domain
select key, facts, policy, seen, messages from queue.dmarc_result where day = $1 and domain = $2 order by key limit $3

-- name: remove
delete from queue.dmarc_result where day = $1 and domain = $2
