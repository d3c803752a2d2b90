-- Organizations and the people in them: how they log in, and what is kept of it.

CREATE TABLE organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL,
    slug varchar(100) NOT NULL UNIQUE,
    logo_url text,
    primary_color varchar(7),
    custom_domain varchar(255),
    plan_type varchar(50) DEFAULT 'free',
    max_users integer DEFAULT 5,
    max_workspaces integer DEFAULT 3,
    max_dashboards integer DEFAULT 10,
    features jsonb DEFAULT '{}',
    is_active boolean DEFAULT true,
    trial_ends_at timestamptz,
    subscription_ends_at timestamptz,
    settings jsonb DEFAULT '{}',
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE TRIGGER update_organizations_updated_at BEFORE UPDATE ON organizations
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email varchar(255) NOT NULL UNIQUE,
    username varchar(100) NOT NULL UNIQUE,
    password_hash text,
    first_name varchar(100),
    last_name varchar(100),
    avatar_url text,
    phone varchar(50),
    email_verified boolean DEFAULT false,
    phone_verified boolean DEFAULT false,
    mfa_enabled boolean DEFAULT false,
    mfa_secret text,
    mfa_backup_codes text[],
    is_active boolean DEFAULT true,
    is_locked boolean DEFAULT false,
    locked_until timestamptz,
    login_attempts integer DEFAULT 0,
    last_login_at timestamptz,
    last_login_ip inet,
    password_changed_at timestamptz,
    password_reset_token text,
    password_reset_expires_at timestamptz,
    must_change_password boolean DEFAULT false,
    timezone varchar(50) DEFAULT 'UTC',
    locale varchar(10) DEFAULT 'en',
    preferences jsonb DEFAULT '{}',
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    deleted_at timestamptz
);
CREATE TRIGGER update_users_updated_at BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE organization_members (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role varchar(50) NOT NULL DEFAULT 'member',
    status varchar(50) DEFAULT 'active',
    invited_by uuid REFERENCES users,
    invited_at timestamptz DEFAULT now(),
    joined_at timestamptz,
    UNIQUE (organization_id, user_id)
);
CREATE INDEX ON organization_members (invited_by);
CREATE INDEX ON organization_members (user_id);

CREATE TABLE user_sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    session_token varchar(255) NOT NULL UNIQUE,
    refresh_token varchar(255) UNIQUE,
    ip_address inet,
    user_agent text,
    device_type varchar(50),
    device_name varchar(255),
    expires_at timestamptz NOT NULL,
    last_activity_at timestamptz DEFAULT now(),
    is_active boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    revoked_at timestamptz,
    revoked_reason text
);
CREATE INDEX ON user_sessions (user_id);
CREATE INDEX ON user_sessions (expires_at);

CREATE TABLE sso_providers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(100) NOT NULL UNIQUE,
    type varchar(50) NOT NULL,
    is_enabled boolean DEFAULT true,
    auto_create_users boolean DEFAULT true,
    saml_entry_point text,
    saml_issuer text,
    saml_cert text,
    client_id text,
    client_secret_encrypted text,
    authorization_url text,
    token_url text,
    user_info_url text,
    scopes text[],
    attribute_mapping jsonb DEFAULT '{}',
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

CREATE TABLE user_sso_connections (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    provider_id uuid NOT NULL REFERENCES sso_providers ON DELETE CASCADE,
    provider_user_id varchar(255) NOT NULL,
    provider_email varchar(255),
    provider_data jsonb,
    linked_at timestamptz DEFAULT now(),
    last_used_at timestamptz,
    UNIQUE (provider_id, provider_user_id)
);
CREATE INDEX ON user_sso_connections (user_id);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    key_hash text NOT NULL UNIQUE,
    key_prefix varchar(10),
    scopes text[] DEFAULT '{}',
    is_active boolean DEFAULT true,
    last_used_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX ON api_keys (organization_id);
CREATE INDEX ON api_keys (user_id);

CREATE TABLE audit_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid REFERENCES users ON DELETE SET NULL,
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    session_id uuid REFERENCES user_sessions ON DELETE SET NULL,
    action varchar(100) NOT NULL,
    resource_type varchar(100),
    resource_id uuid,
    description text,
    ip_address inet,
    user_agent text,
    old_values jsonb,
    new_values jsonb,
    metadata jsonb DEFAULT '{}',
    severity varchar(20) DEFAULT 'info',
    created_at timestamptz DEFAULT now()
);
CREATE INDEX ON audit_logs (organization_id, created_at);
CREATE INDEX ON audit_logs (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX ON audit_logs (user_id);

CREATE TABLE security_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_type varchar(100) NOT NULL,
    user_id uuid REFERENCES users ON DELETE SET NULL,
    ip_address inet,
    user_agent text,
    location jsonb,
    details jsonb DEFAULT '{}',
    risk_score integer DEFAULT 0 CHECK (risk_score BETWEEN 0 AND 100),
    resolved boolean DEFAULT false,
    resolved_by uuid REFERENCES users,
    resolved_at timestamptz,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX ON security_events (resolved_by);
CREATE INDEX ON security_events (user_id);
