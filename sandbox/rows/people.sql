INSERT INTO organizations (id, name, slug, plan_type)
SELECT pg_temp.key('organizations', i), initcap(pg_temp.word(i)) || ' ' || i, 'org-' || i,
       pg_temp.pick('{free,team,business,enterprise}', i)
FROM pg_temp.numbers('organizations') i;

INSERT INTO users (id, email, username, password_hash, first_name, last_name, email_verified, is_active, preferences)
SELECT pg_temp.key('users', i), 'user' || i || '@example.com', 'user' || i,
       CASE WHEN i % 9 > 0 THEN '$2b$12$' || md5('p' || i) || substr(md5('q' || i), 1, 21) END,
       initcap(pg_temp.word(i)), initcap(pg_temp.word(i * 7)), i % 7 > 0, i % 97 > 0,
       jsonb_build_object('theme', CASE WHEN i % 3 = 0 THEN 'dark' ELSE 'light' END, 'zone', i % 24)
FROM pg_temp.numbers('users') i;

INSERT INTO organization_members (id, organization_id, user_id, role, joined_at)
SELECT pg_temp.key('organization_members', i), pg_temp.one('organizations', i), pg_temp.key('users', i),
       pg_temp.pick('{owner,admin,member,member,viewer}', i), now()
FROM pg_temp.numbers('users') i;

-- Who was deactivated has no session that is still open.
INSERT INTO user_sessions (id, user_id, session_token, refresh_token, ip_address, user_agent, device_type, expires_at,
    created_at, is_active, revoked_at, revoked_reason)
SELECT pg_temp.key('user_sessions', i), u.id, md5('t' || i) || md5('v' || i), md5('r' || i),
       '10.0.0.0'::inet + i % 65536, 'Mozilla/5.0 (X11; Linux x86_64) Browser/' || i % 90,
       pg_temp.pick('{desktop,desktop,mobile,tablet}', i), pg_temp.days_ago(i % 40 - 30), pg_temp.days_ago(i % 40),
       u.is_active, CASE WHEN NOT u.is_active THEN now() END, CASE WHEN NOT u.is_active THEN 'user deactivated' END
FROM pg_temp.numbers('user_sessions') i,
     LATERAL (SELECT pg_temp.one('users', i) AS id, (1 + i % pg_temp.rows('users')) % 97 > 0 AS is_active) u;

INSERT INTO sso_providers (id, name, type, client_id, client_secret_encrypted)
SELECT pg_temp.key('sso_providers', i), 'provider ' || i, pg_temp.pick('{saml,oauth}', i), 'client-' || i,
       CASE WHEN i % 2 > 0 THEN md5('s' || i) || md5('z' || i) END
FROM pg_temp.numbers('sso_providers') i;

INSERT INTO user_sso_connections (id, user_id, provider_id, provider_user_id, provider_email)
SELECT pg_temp.key('user_sso_connections', i), pg_temp.one('users', i), pg_temp.one('sso_providers', i),
       'external-' || i, 'user' || i || '@example.org'
FROM pg_temp.numbers('user_sso_connections') i;

INSERT INTO api_keys (id, user_id, organization_id, name, key_hash, key_prefix, scopes, expires_at)
SELECT pg_temp.key('api_keys', i), pg_temp.one('users', i), pg_temp.one('organizations', i), 'key ' || i,
       md5('h' || i) || md5('j' || i), 'cv_' || substr(md5('h' || i), 1, 6), '{read}',
       CASE WHEN i % 2 = 0 THEN now() + interval '1 year' END
FROM pg_temp.numbers('api_keys') i;

INSERT INTO security_events (id, event_type, user_id, ip_address, details, risk_score, created_at)
SELECT pg_temp.key('security_events', i), pg_temp.pick('{login_failed,new_device,password_reset}', i),
       pg_temp.one('users', i), '10.1.0.0'::inet + i % 65536, jsonb_build_object('attempts', i % 9), i % 101,
       pg_temp.days_ago(random() * 90)
FROM pg_temp.numbers('security_events') i;

INSERT INTO audit_logs (id, user_id, organization_id, action, resource_type, resource_id, ip_address, new_values,
    created_at)
SELECT pg_temp.key('audit_logs', i), pg_temp.one('users', i), pg_temp.one('organizations', i),
       pg_temp.pick('{create,update,delete,share,view}', i), 'dashboard', pg_temp.one('dashboards', i),
       '10.0.0.0'::inet + i % 65536,
       jsonb_build_object('field', pg_temp.word(i), 'to', pg_temp.word(i * 7)), pg_temp.days_ago(random() * 90)
FROM pg_temp.numbers('audit_logs') i;
