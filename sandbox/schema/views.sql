-- What the application reads often.

CREATE VIEW open_sessions AS
SELECT s.id, s.user_id, s.device_type, s.device_name, s.ip_address, s.last_activity_at, s.expires_at
FROM user_sessions s
WHERE s.revoked_at IS NULL AND s.is_active IS NOT FALSE AND s.expires_at > now();

CREATE VIEW workspace_overview AS
SELECT w.id, w.name, w.organization_id,
       (SELECT count(*) FROM workspace_members m WHERE m.workspace_id = w.id) AS members,
       (SELECT count(*) FROM dashboards d WHERE d.workspace_id = w.id) AS dashboards,
       (SELECT count(*) FROM tasks t WHERE t.workspace_id = w.id) AS tasks
FROM workspaces w;

CREATE VIEW due_reports AS
SELECT r.id, r.name, r.report_id, d.workspace_id, r.next_run, r.distribution_config
FROM report_schedules r JOIN dashboards d ON d.id = r.report_id
WHERE r.enabled AND r.next_run <= now();
