-- Row level security: an organization sees itself, its people and its own audit trail; the tables' owner, as which the
-- application connects, is no exception. Foreign keys look past it, and so do the superuser and the data checks' reader.

ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;
CREATE POLICY organizations_own ON organizations USING (works_for(id));

-- Who signs up is a member of nothing yet: a person is written first and becomes a member after it.
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY users_of_organization ON users
    USING (
        works_for(NULL)
        OR EXISTS (SELECT FROM organization_members m WHERE m.user_id = users.id AND works_for(m.organization_id))
    )
    WITH CHECK (true);

ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_logs FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_logs_of_organization ON audit_logs USING (works_for(organization_id));
