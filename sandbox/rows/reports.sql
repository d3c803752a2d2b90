INSERT INTO report_schedules (id, report_id, name, enabled, schedule_config, distribution_config, created_by, next_run)
SELECT pg_temp.key('report_schedules', i), pg_temp.one('dashboards', i), initcap(pg_temp.word(i)) || ' report',
       i % 5 > 0, jsonb_build_object('frequency', pg_temp.pick('{daily,weekly,monthly}', i), 'hour', i % 24),
       jsonb_build_object('email', jsonb_build_array('user' || i || '@example.com')), pg_temp.one('users', i),
       pg_temp.days_ago(-1 - i % 7)
FROM pg_temp.numbers('report_schedules') i;

INSERT INTO schedule_executions (id, schedule_id, started_at, completed_at, duration_ms, status, records_processed)
SELECT 'run-' || i, pg_temp.one('report_schedules', i), begin, begin + i % 90 * interval '1 s', i % 90 * 1000,
       pg_temp.pick('{success,success,success,failed}', i), i % 5000
FROM pg_temp.numbers('schedule_executions') i, LATERAL (SELECT pg_temp.days_ago(1 + i % 60) AS begin) s;

INSERT INTO schedule_execution_logs (execution_id, timestamp, level, message)
SELECT 'run-' || 1 + i % pg_temp.rows('schedule_executions'), pg_temp.days_ago(1 + i % 60),
       pg_temp.pick('{info,info,warn}', i), 'Rendered ' || pg_temp.word(i)
FROM pg_temp.numbers('schedule_execution_logs') i;

INSERT INTO schedule_alerts (id, schedule_id, alert_type, enabled, notification_channels)
SELECT pg_temp.key('schedule_alerts', i), pg_temp.one('report_schedules', i), pg_temp.pick('{failure,delay}', i), true,
       '["email"]'
FROM pg_temp.numbers('schedule_alerts') i;

INSERT INTO distribution_history (execution_id, distribution_type, started_at, success, recipient_count)
SELECT 'run-' || 1 + i % pg_temp.rows('schedule_executions'), pg_temp.pick('{email,slack,webhook}', i),
       pg_temp.days_ago(1 + i % 60), i % 9 > 0, i % 20
FROM pg_temp.numbers('distribution_history') i;

INSERT INTO report_exports (id, report_id, format, status, file_path, created_by)
SELECT pg_temp.key('report_exports', i), pg_temp.one('dashboards', i), pg_temp.pick('{pdf,xlsx}', i), 'completed',
       '/reports/' || i, pg_temp.one('users', i)
FROM pg_temp.numbers('report_exports') i;
