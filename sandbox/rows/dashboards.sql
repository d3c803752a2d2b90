INSERT INTO dashboard_folders (id, workspace_id, name, parent_id, color)
SELECT pg_temp.key('dashboard_folders', i), pg_temp.one('workspaces', i), initcap(pg_temp.word(i)),
       CASE WHEN i > 9 THEN pg_temp.key('dashboard_folders', i / 3) END, '#' || substr(md5(i::text), 1, 6)
FROM pg_temp.numbers('dashboard_folders') i;

INSERT INTO dashboards (id, workspace_id, name, description, layout_config, created_by, folder_id, created_at,
    view_count)
SELECT pg_temp.key('dashboards', i), pg_temp.one('workspaces', i),
       initcap(pg_temp.word(i)) || ' ' || pg_temp.word(i * 3), 'Shows ' || pg_temp.word(i * 5) || ' by '
       || pg_temp.word(i * 11) || ' for the ' || pg_temp.word(i * 13) || ' team',
       jsonb_build_object('columns', 12, 'rows', 4 + i % 9), pg_temp.one('users', i),
       CASE WHEN i % 3 = 0 THEN pg_temp.one('dashboard_folders', i) END, pg_temp.days_ago(random() * 300), i % 900
FROM pg_temp.numbers('dashboards') i;

INSERT INTO widgets (id, dashboard_id, type, title, position, config, data_config)
SELECT pg_temp.key('widgets', i), pg_temp.one('dashboards', i),
       pg_temp.pick('{bar,line,pie,table,number,burndown,calendar}', i),
       initcap(pg_temp.word(i)) || ' per ' || pg_temp.word(i * 17),
       jsonb_build_object('x', i % 12, 'y', i % 40, 'w', 4, 'h', 3),
       jsonb_build_object('color', substr(md5(i::text), 1, 6), 'showLegend', i % 2 = 0, 'limit', i % 100),
       jsonb_build_object('groupBy', pg_temp.word(i * 19), 'title', pg_temp.word(i * 23))
FROM pg_temp.numbers('widgets') i;

INSERT INTO widget_data_sources (id, widget_id, source_type, clickup_list_id, aggregation_type, group_by)
SELECT pg_temp.key('widget_data_sources', i), pg_temp.one('widgets', i),
       pg_temp.pick('{tasks,time_entries,goals,lists}', i), substr(md5('a' || i % 5000), 1, 12),
       pg_temp.pick('{count,sum,average}', i), pg_temp.word(i)
FROM pg_temp.numbers('widget_data_sources') i;

INSERT INTO widget_filters (id, widget_id, field_name, operator, value)
SELECT pg_temp.key('widget_filters', i), pg_temp.one('widgets', i), pg_temp.word(i),
       pg_temp.pick('{eq,ne,lt,gt,in}', i), to_jsonb(pg_temp.word(i * 3))
FROM pg_temp.numbers('widget_filters') i;

INSERT INTO calculated_fields (id, dashboard_id, name, expression)
SELECT pg_temp.key('calculated_fields', i), pg_temp.one('dashboards', i), pg_temp.word(i), 'sum(' || pg_temp.word(i * 3) || ')'
FROM pg_temp.numbers('calculated_fields') i;

INSERT INTO dashboard_comments (id, dashboard_id, user_id, parent_id, content)
SELECT pg_temp.key('dashboard_comments', i), pg_temp.one('dashboards', i), pg_temp.one('users', i),
       CASE WHEN i % 4 = 0 THEN pg_temp.key('dashboard_comments', i / 4) END, 'What of the ' || pg_temp.word(i) || '?'
FROM pg_temp.numbers('dashboard_comments') i;

INSERT INTO dashboard_templates (id, dashboard_id, name, category, is_public)
SELECT pg_temp.key('dashboard_templates', i), pg_temp.one('dashboards', i), initcap(pg_temp.word(i)),
       pg_temp.word(i % 6), i % 2 = 0
FROM pg_temp.numbers('dashboard_templates') i;

INSERT INTO dashboard_from_template_usage (id, template_id, dashboard_id)
SELECT pg_temp.key('dashboard_from_template_usage', i), pg_temp.one('dashboard_templates', i),
       pg_temp.one('dashboards', i)
FROM pg_temp.numbers('dashboard_from_template_usage') i;

INSERT INTO dashboard_permissions (id, dashboard_id, user_id, team_id, role)
SELECT pg_temp.key('dashboard_permissions', i), pg_temp.one('dashboards', i),
       CASE WHEN i % 3 > 0 THEN pg_temp.one('users', i) END, CASE WHEN i % 3 = 0 THEN pg_temp.one('teams', i) END,
       pg_temp.pick('{viewer,editor,owner}', i)
FROM pg_temp.numbers('dashboard_permissions') i;

INSERT INTO dashboard_share_links (id, dashboard_id, share_token, expires_at)
SELECT pg_temp.key('dashboard_share_links', i), pg_temp.one('dashboards', i), md5('share link' || i),
       CASE WHEN i % 2 = 0 THEN now() + interval '7 days' END
FROM pg_temp.numbers('dashboard_share_links') i;

INSERT INTO dashboard_shares (id, dashboard_id, share_token, expires_at)
SELECT pg_temp.key('dashboard_shares', i), pg_temp.one('dashboards', i), md5('share' || i),
       CASE WHEN i % 2 = 0 THEN now() + interval '7 days' END
FROM pg_temp.numbers('dashboard_shares') i;

INSERT INTO dashboard_exports (id, dashboard_id, user_id, format, status, file_path, file_size, completed_at)
SELECT pg_temp.key('dashboard_exports', i), pg_temp.one('dashboards', i), pg_temp.one('users', i),
       pg_temp.pick('{pdf,png,csv}', i), 'completed', '/exports/' || i, i * 1000, now()
FROM pg_temp.numbers('dashboard_exports') i;
