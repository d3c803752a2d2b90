-- Who may do what: roles, grants, attribute policies, and what is hidden from whom.

CREATE TABLE roles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    name varchar(100) NOT NULL,
    description text,
    is_system boolean DEFAULT false,
    permissions text[] DEFAULT '{}',
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    UNIQUE (organization_id, name)
);
CREATE TRIGGER update_roles_updated_at BEFORE UPDATE ON roles
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE permissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    resource varchar(100) NOT NULL,
    action varchar(50) NOT NULL,
    scope varchar(50),
    name varchar(255) NOT NULL UNIQUE,
    description text,
    category varchar(50),
    created_at timestamptz DEFAULT now()
);

CREATE TABLE user_roles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role_id uuid NOT NULL REFERENCES roles ON DELETE CASCADE,
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    assigned_by uuid REFERENCES users,
    assigned_at timestamptz DEFAULT now(),
    expires_at timestamptz,
    UNIQUE (user_id, role_id, organization_id)
);
CREATE INDEX ON user_roles (assigned_by);
CREATE INDEX ON user_roles (organization_id);
CREATE INDEX ON user_roles (role_id);

CREATE TABLE resource_permissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid REFERENCES users ON DELETE CASCADE,
    role_id uuid REFERENCES roles ON DELETE CASCADE,
    resource_type varchar(100) NOT NULL,
    resource_id uuid NOT NULL,
    permission_level varchar(50) NOT NULL,
    inherited_from uuid REFERENCES resource_permissions,
    granted_by uuid REFERENCES users,
    granted_at timestamptz DEFAULT now(),
    expires_at timestamptz
);
CREATE INDEX ON resource_permissions (granted_by);
CREATE INDEX ON resource_permissions (inherited_from);
CREATE INDEX ON resource_permissions (role_id);
CREATE INDEX ON resource_permissions (user_id);

CREATE TABLE permission_delegations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    delegated_by uuid NOT NULL REFERENCES users,
    delegated_to uuid NOT NULL REFERENCES users,
    resource_type varchar(100) NOT NULL,
    resource_id uuid NOT NULL,
    permissions text[] NOT NULL,
    can_redelegate boolean DEFAULT false,
    max_redelegation_depth integer DEFAULT 0,
    valid_from timestamptz DEFAULT now(),
    valid_until timestamptz NOT NULL,
    times_used integer DEFAULT 0,
    max_uses integer,
    last_used_at timestamptz,
    is_active boolean DEFAULT true,
    revoked_at timestamptz,
    revoked_by uuid REFERENCES users,
    revoke_reason text,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX ON permission_delegations (delegated_by);
CREATE INDEX ON permission_delegations (delegated_to);
CREATE INDEX ON permission_delegations (revoked_by);

CREATE TABLE permission_inheritance (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    parent_resource_type varchar(100) NOT NULL,
    parent_resource_id uuid NOT NULL,
    child_resource_type varchar(100) NOT NULL,
    child_resource_id uuid NOT NULL,
    inheritance_type varchar(50) NOT NULL DEFAULT 'full',
    max_depth integer,
    is_enabled boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    UNIQUE (parent_resource_type, parent_resource_id, child_resource_type, child_resource_id)
);

CREATE TABLE materialized_permissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    resource_type varchar(100) NOT NULL,
    resource_id uuid NOT NULL,
    permission varchar(255) NOT NULL,
    source varchar(50) NOT NULL,
    source_id uuid,
    permission_level varchar(50) NOT NULL,
    computed_at timestamptz DEFAULT now(),
    expires_at timestamptz,
    UNIQUE (user_id, resource_type, resource_id, permission)
);

CREATE TABLE authorization_context (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    attributes jsonb NOT NULL DEFAULT '{}',
    organization_id uuid REFERENCES organizations,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON authorization_context (organization_id);
CREATE INDEX ON authorization_context (user_id);
CREATE TRIGGER update_auth_context_updated_at BEFORE UPDATE ON authorization_context
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE abac_policies (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL UNIQUE,
    description text,
    resource_type varchar(100) NOT NULL,
    action varchar(50) NOT NULL,
    effect varchar(50) NOT NULL CHECK (effect IN ('allow', 'deny')),
    conditions jsonb NOT NULL DEFAULT '{}',
    priority integer DEFAULT 100,
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    is_enabled boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    created_by uuid REFERENCES users
);
CREATE INDEX ON abac_policies (created_by);
CREATE INDEX ON abac_policies (organization_id);
CREATE TRIGGER update_abac_policies_updated_at BEFORE UPDATE ON abac_policies
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE abac_policy_cache (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    resource_type varchar(100) NOT NULL,
    resource_id uuid NOT NULL,
    action varchar(50) NOT NULL,
    decision varchar(10) NOT NULL,
    matched_policies uuid[],
    evaluated_at timestamptz DEFAULT now(),
    expires_at timestamptz NOT NULL,
    context_snapshot jsonb,
    UNIQUE (user_id, resource_type, resource_id, action)
);

CREATE TABLE rls_policies (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL,
    description text,
    table_name varchar(100) NOT NULL,
    schema_name varchar(100) DEFAULT 'public',
    policy_type varchar(50) NOT NULL,
    commands text[] DEFAULT '{SELECT}',
    using_expression text NOT NULL,
    check_expression text,
    applies_to_roles text[],
    is_enabled boolean DEFAULT true,
    priority integer DEFAULT 100,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    created_by uuid REFERENCES users,
    UNIQUE (name, table_name, schema_name)
);
CREATE INDEX ON rls_policies (created_by);
CREATE TRIGGER update_rls_policies_updated_at BEFORE UPDATE ON rls_policies
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE rls_policy_audit (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    policy_id uuid NOT NULL REFERENCES rls_policies ON DELETE CASCADE,
    action varchar(50) NOT NULL,
    old_values jsonb,
    new_values jsonb,
    performed_by uuid REFERENCES users,
    performed_at timestamptz DEFAULT now(),
    ip_address inet
);
CREATE INDEX ON rls_policy_audit (performed_by);
CREATE INDEX ON rls_policy_audit (policy_id);
CREATE TRIGGER audit_rls_policies AFTER INSERT OR UPDATE ON rls_policies
    FOR EACH ROW EXECUTE FUNCTION audit_policy_change();

CREATE TABLE data_masking_rules (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL UNIQUE,
    description text,
    masking_type varchar(50) NOT NULL,
    config jsonb DEFAULT '{}',
    custom_function text,
    data_types text[],
    bypass_roles uuid[],
    bypass_users uuid[],
    is_enabled boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE TRIGGER update_data_masking_rules_updated_at BEFORE UPDATE ON data_masking_rules
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE column_masking (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    table_name varchar(100) NOT NULL,
    column_name varchar(100) NOT NULL,
    schema_name varchar(100) DEFAULT 'public',
    masking_rule_id uuid NOT NULL REFERENCES data_masking_rules ON DELETE CASCADE,
    condition_expression text,
    is_enabled boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    UNIQUE (table_name, column_name, schema_name)
);
CREATE INDEX ON column_masking (masking_rule_id);

CREATE TABLE column_permissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    table_name varchar(100) NOT NULL,
    column_name varchar(100) NOT NULL,
    schema_name varchar(100) DEFAULT 'public',
    role_id uuid REFERENCES roles ON DELETE CASCADE,
    user_id uuid REFERENCES users ON DELETE CASCADE,
    permission_level varchar(50) NOT NULL,
    masking_rule_id uuid REFERENCES data_masking_rules,
    condition_expression text,
    is_enabled boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX ON column_permissions (masking_rule_id);
CREATE INDEX ON column_permissions (role_id);
CREATE INDEX ON column_permissions (user_id);
CREATE TRIGGER update_column_permissions_updated_at BEFORE UPDATE ON column_permissions
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE resource_sensitivity (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    resource_type varchar(100) NOT NULL,
    resource_id uuid NOT NULL,
    sensitivity_level varchar(50) NOT NULL,
    compliance_tags text[] DEFAULT '{}',
    data_classification jsonb,
    requires_mfa boolean DEFAULT false,
    allowed_ip_ranges inet[],
    allowed_time_windows jsonb,
    classified_by uuid REFERENCES users,
    classified_at timestamptz DEFAULT now(),
    reviewed_at timestamptz,
    next_review_at timestamptz,
    UNIQUE (resource_type, resource_id)
);
CREATE INDEX ON resource_sensitivity (classified_by);
