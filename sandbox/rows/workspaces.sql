INSERT INTO workspaces (id, name, clickup_team_id, encrypted_api_key, api_key_iv, organization_id, created_by)
SELECT pg_temp.key('workspaces', i), pg_temp.word(i) || ' workspace', (9000000000 + i)::text,
       md5('k' || i) || md5('l' || i) || md5('m' || i), md5('n' || i), pg_temp.one('organizations', i),
       pg_temp.one('users', i)
FROM pg_temp.numbers('workspaces') i;

INSERT INTO workspace_members (id, workspace_id, user_id, role)
SELECT pg_temp.key('workspace_members', i), pg_temp.one('workspaces', i), pg_temp.one('users', i),
       pg_temp.pick('{admin,member,member,viewer}', i)
FROM pg_temp.numbers('workspace_members') i ON CONFLICT DO NOTHING;

INSERT INTO teams (id, workspace_id, name, description)
SELECT pg_temp.key('teams', i), pg_temp.one('workspaces', i), initcap(pg_temp.word(i)) || ' team',
       'Works on ' || pg_temp.word(i * 3)
FROM pg_temp.numbers('teams') i;

INSERT INTO team_members (id, team_id, user_id, role)
SELECT pg_temp.key('team_members', i), pg_temp.one('teams', i), pg_temp.one('users', i),
       pg_temp.pick('{lead,member,member}', i)
FROM pg_temp.numbers('team_members') i ON CONFLICT DO NOTHING;

INSERT INTO filter_presets (id, workspace_id, name, filters, is_global)
SELECT pg_temp.key('filter_presets', i), pg_temp.one('workspaces', i), 'preset ' || i,
       jsonb_build_array(jsonb_build_object('field', pg_temp.word(i), 'eq', i % 50)), i % 5 = 0
FROM pg_temp.numbers('filter_presets') i;

INSERT INTO api_request_logs (id, workspace_id, endpoint, method, status_code, response_time_ms, rate_limit_remaining,
    created_at)
SELECT pg_temp.key('api_request_logs', i), pg_temp.one('workspaces', i),
       '/api/v2/' || pg_temp.word(i) || '/' || hashint8(i) || '/' || pg_temp.word(i * 3),
       pg_temp.pick('{GET,GET,GET,POST,PUT,DELETE}', i), pg_temp.pick('{200,200,200,201,404,429,500}', i)::int,
       (random() * 900)::int, i % 100, pg_temp.days_ago(random() * 30)
FROM pg_temp.numbers('api_request_logs') i;

INSERT INTO tasks (id, workspace_id, task_id, task_name, status, task_content, assignee, priority, comment_count,
    due_date, date_created, space, folder, list, tags, points_estimate_rolled_up, number_of_screens, overall_due_date,
    roles, last_synced_at, space_id, list_id)
SELECT pg_temp.key('tasks', i), pg_temp.one('workspaces', i), substr(md5('task' || i), 1, 9) || i,
       initcap(pg_temp.word(i)) || ' ' || pg_temp.word(i * 3), pg_temp.pick('{open,in progress,in review,done}', i),
       'Needs the ' || pg_temp.word(i * 5) || ' and the ' || pg_temp.word(i * 11), 'user' || i % 50,
       pg_temp.pick('{urgent,high,normal,low}', i), i % 12, pg_temp.days_ago(i % 60 - 30), pg_temp.days_ago(i % 200),
       pg_temp.word(i % 8), pg_temp.word(i % 40), pg_temp.word(i % 90), jsonb_build_array(pg_temp.word(i * 7)),
       i % 21 / 2.0, i % 30, current_date + (i % 60)::int, jsonb_build_array(pg_temp.word(i * 13)), now(),
       (i % 8)::text, (i % 90)::text
FROM pg_temp.numbers('tasks') i;

INSERT INTO task_sync_history (id, workspace_id, sync_type, tasks_synced, tasks_updated, sync_started_at,
    sync_completed_at, status)
SELECT pg_temp.key('task_sync_history', i), pg_temp.one('workspaces', i), pg_temp.pick('{full,incremental}', i),
       i % 500, i % 90, begin, begin + i % 300 * interval '1 s', 'completed'
FROM pg_temp.numbers('task_sync_history') i, LATERAL (SELECT pg_temp.days_ago(1 + i % 30) AS begin) s;
