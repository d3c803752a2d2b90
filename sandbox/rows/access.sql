INSERT INTO roles (id, organization_id, name, permissions)
SELECT pg_temp.key('roles', i), CASE WHEN i > 3 THEN pg_temp.one('organizations', i) END, pg_temp.word(i) || ' ' || i,
       '{dashboard:view,dashboard:edit}'
FROM pg_temp.numbers('roles') i;

INSERT INTO permissions (id, resource, action, name)
SELECT pg_temp.key('permissions', i), 'dashboard', pg_temp.pick('{view,edit,delete}', i), 'dashboard:' || i
FROM pg_temp.numbers('permissions') i;

INSERT INTO user_roles (id, user_id, role_id, organization_id, assigned_by)
SELECT pg_temp.key('user_roles', i), pg_temp.one('users', i), pg_temp.one('roles', i), pg_temp.one('organizations', i),
       pg_temp.one('users', i * 7)
FROM pg_temp.numbers('user_roles') i ON CONFLICT DO NOTHING;

INSERT INTO resource_permissions (id, user_id, role_id, resource_type, resource_id, permission_level)
SELECT pg_temp.key('resource_permissions', i), CASE WHEN i % 2 = 0 THEN pg_temp.one('users', i) END,
       CASE WHEN i % 2 > 0 THEN pg_temp.one('roles', i) END, 'dashboard', pg_temp.one('dashboards', i),
       pg_temp.pick('{read,write,admin}', i)
FROM pg_temp.numbers('resource_permissions') i;

INSERT INTO permission_delegations (id, delegated_by, delegated_to, resource_type, resource_id, permissions,
    valid_until)
SELECT pg_temp.key('permission_delegations', i), pg_temp.one('users', i), pg_temp.one('users', i + 1), 'dashboard',
       pg_temp.one('dashboards', i), '{view}', now() + interval '30 days'
FROM pg_temp.numbers('permission_delegations') i;

INSERT INTO permission_inheritance (id, parent_resource_type, parent_resource_id, child_resource_type,
    child_resource_id)
SELECT pg_temp.key('permission_inheritance', i), 'workspace', pg_temp.one('workspaces', i), 'dashboard',
       pg_temp.one('dashboards', i)
FROM pg_temp.numbers('permission_inheritance') i ON CONFLICT DO NOTHING;

INSERT INTO materialized_permissions (id, user_id, resource_type, resource_id, permission, source, permission_level)
SELECT pg_temp.key('materialized_permissions', i), pg_temp.one('users', i), 'dashboard', pg_temp.one('dashboards', i),
       pg_temp.pick('{view,edit}', i), 'role', 'read'
FROM pg_temp.numbers('materialized_permissions') i ON CONFLICT DO NOTHING;

INSERT INTO authorization_context (id, session_id, user_id, attributes, organization_id, expires_at)
SELECT pg_temp.key('authorization_context', i), pg_temp.one('user_sessions', i), pg_temp.one('users', i),
       jsonb_build_object('department', pg_temp.word(i)), pg_temp.one('organizations', i), now() + interval '8 hours'
FROM pg_temp.numbers('authorization_context') i;

INSERT INTO abac_policies (id, name, resource_type, action, effect, conditions, organization_id)
SELECT pg_temp.key('abac_policies', i), 'policy ' || i, 'dashboard', pg_temp.pick('{view,edit,export}', i),
       pg_temp.pick('{allow,allow,deny}', i), jsonb_build_object('department', pg_temp.word(i)),
       pg_temp.one('organizations', i)
FROM pg_temp.numbers('abac_policies') i;

INSERT INTO abac_policy_cache (id, user_id, resource_type, resource_id, action, decision, matched_policies, expires_at)
SELECT pg_temp.key('abac_policy_cache', i), pg_temp.one('users', i), 'dashboard', pg_temp.one('dashboards', i),
       pg_temp.pick('{view,edit}', i), 'allow', ARRAY[pg_temp.one('abac_policies', i)], now() + interval '5 minutes'
FROM pg_temp.numbers('abac_policy_cache') i ON CONFLICT DO NOTHING;

INSERT INTO rls_policies (id, name, table_name, policy_type, using_expression, created_by)
SELECT pg_temp.key('rls_policies', i), 'rule ' || i, pg_temp.pick('{users,organizations,audit_logs}', i), 'permissive',
       'organization_id = current_organization()', pg_temp.one('users', i)
FROM pg_temp.numbers('rls_policies') i;

INSERT INTO rls_policy_audit (id, policy_id, action, performed_by)
SELECT pg_temp.key('rls_policy_audit', i), pg_temp.one('rls_policies', i), 'insert', pg_temp.one('users', i)
FROM pg_temp.numbers('rls_policy_audit') i;

INSERT INTO data_masking_rules (id, name, masking_type, config)
SELECT pg_temp.key('data_masking_rules', i), 'mask ' || i, pg_temp.pick('{partial,hash,redact}', i), '{"keep": 4}'
FROM pg_temp.numbers('data_masking_rules') i;

INSERT INTO column_masking (id, table_name, column_name, masking_rule_id)
SELECT pg_temp.key('column_masking', i), 'users', 'column_' || i, pg_temp.one('data_masking_rules', i)
FROM pg_temp.numbers('column_masking') i;

INSERT INTO column_permissions (id, table_name, column_name, role_id, permission_level, masking_rule_id)
SELECT pg_temp.key('column_permissions', i), 'users', pg_temp.pick('{phone,email}', i), pg_temp.one('roles', i),
       'masked', pg_temp.one('data_masking_rules', i)
FROM pg_temp.numbers('column_permissions') i;

INSERT INTO resource_sensitivity (id, resource_type, resource_id, sensitivity_level, classified_by)
SELECT pg_temp.key('resource_sensitivity', i), 'dashboard', pg_temp.one('dashboards', i),
       pg_temp.pick('{public,internal,secret}', i), pg_temp.one('users', i)
FROM pg_temp.numbers('resource_sensitivity') i ON CONFLICT DO NOTHING;
