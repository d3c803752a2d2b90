-- Documents repeat words and shapes as real ones do: they compress about four times, not to nothing.

CREATE TEMP TABLE documents AS
SELECT n AS number, jsonb_build_object('tasks', jsonb_agg(jsonb_build_object(
    'id', substr(md5(n || '.' || k), 1, 9), 'name', pg_temp.word(n * 31 + k) || ' ' || pg_temp.word(n * 7 + k * 3),
    'status', pg_temp.word(n + k * 5), 'estimate', (n * k) % 90, 'due', 1700000000 + (n * 7919 + k * 104729) % 9999999,
    'assignee', pg_temp.word(n * 3 + k), 'points', k))) AS document
FROM generate_series(0, least(4000, pg_temp.rows('cached_data')) - 1) n, generate_series(1, 12) k GROUP BY n;

INSERT INTO cached_data (id, workspace_id, cache_key, data_type, data, expires_at)
SELECT pg_temp.key('cached_data', i), pg_temp.one('workspaces', i), 'tasks:' || i, 'tasks',
       document || jsonb_build_object('etag', md5('e' || i), 'total', i % 5000), now() + interval '1 hour'
FROM pg_temp.numbers('cached_data') i JOIN documents ON number = i % least(4000, pg_temp.rows('cached_data'));
