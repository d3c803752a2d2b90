-- Dashboards: what is on them, who may see them, how they are shared.

CREATE TABLE dashboard_folders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    parent_id uuid REFERENCES dashboard_folders ON DELETE CASCADE,
    icon varchar(50),
    color varchar(50),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ON dashboard_folders (parent_id);
CREATE INDEX ON dashboard_folders (workspace_id);
CREATE TRIGGER update_dashboard_folders_updated_at BEFORE UPDATE ON dashboard_folders
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE dashboards (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    description text,
    layout_config jsonb DEFAULT '{}',
    global_filters jsonb DEFAULT '[]',
    refresh_interval integer DEFAULT 300,
    last_refresh_at timestamptz,
    is_template boolean DEFAULT false,
    template_category varchar(50),
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    created_by uuid REFERENCES users,
    visibility varchar(50) DEFAULT 'private',
    folder_id uuid REFERENCES dashboard_folders ON DELETE SET NULL,
    is_favorite boolean DEFAULT false,
    last_viewed_at timestamp,
    view_count integer DEFAULT 0
);
CREATE INDEX ON dashboards (created_by);
CREATE INDEX ON dashboards (folder_id);
CREATE INDEX ON dashboards (workspace_id);
CREATE INDEX ON dashboards (created_at);
CREATE TRIGGER update_dashboards_updated_at BEFORE UPDATE ON dashboards
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE widgets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    type varchar(50) NOT NULL,
    title varchar(255) NOT NULL,
    description text,
    position jsonb NOT NULL DEFAULT '{}',
    config jsonb NOT NULL DEFAULT '{}',
    data_config jsonb NOT NULL DEFAULT '{}',
    filters jsonb DEFAULT '[]',
    refresh_interval integer,
    last_refresh_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX ON widgets (dashboard_id);
CREATE TRIGGER update_widgets_updated_at BEFORE UPDATE ON widgets
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE widget_data_sources (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    widget_id uuid NOT NULL REFERENCES widgets ON DELETE CASCADE,
    source_type varchar(50) NOT NULL,
    clickup_space_id varchar(50),
    clickup_folder_id varchar(50),
    clickup_list_id varchar(50),
    custom_field_id varchar(50),
    aggregation_type varchar(20),
    group_by varchar(100),
    time_group_by varchar(20),
    calculated_fields jsonb,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX ON widget_data_sources (widget_id);

CREATE TABLE widget_filters (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    widget_id uuid NOT NULL REFERENCES widgets ON DELETE CASCADE,
    field_name varchar(100) NOT NULL,
    operator varchar(20) NOT NULL,
    value jsonb NOT NULL,
    is_active boolean DEFAULT true,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX ON widget_filters (widget_id);

CREATE TABLE calculated_fields (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    expression text NOT NULL,
    description text,
    return_type varchar(50) DEFAULT 'number',
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ON calculated_fields (dashboard_id);
CREATE TRIGGER update_calculated_fields_updated_at BEFORE UPDATE ON calculated_fields
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE dashboard_comments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    parent_id uuid REFERENCES dashboard_comments ON DELETE CASCADE,
    content text NOT NULL,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ON dashboard_comments (dashboard_id);
CREATE INDEX ON dashboard_comments (parent_id);
CREATE INDEX ON dashboard_comments (user_id);
CREATE TRIGGER update_comments_updated_at BEFORE UPDATE ON dashboard_comments
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE dashboard_templates (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    description text,
    category varchar(100) NOT NULL,
    tags jsonb DEFAULT '[]',
    is_public boolean DEFAULT false,
    thumbnail_url text,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ON dashboard_templates (dashboard_id);
CREATE TRIGGER update_dashboard_templates_updated_at BEFORE UPDATE ON dashboard_templates
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE dashboard_from_template_usage (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    template_id uuid NOT NULL REFERENCES dashboard_templates ON DELETE CASCADE,
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    created_at timestamp DEFAULT now()
);
CREATE INDEX ON dashboard_from_template_usage (dashboard_id);
CREATE INDEX ON dashboard_from_template_usage (template_id);

CREATE TABLE dashboard_permissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    user_id uuid REFERENCES users ON DELETE CASCADE,
    team_id uuid REFERENCES teams ON DELETE CASCADE,
    role varchar(50) NOT NULL,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ON dashboard_permissions (dashboard_id);
CREATE INDEX ON dashboard_permissions (team_id);
CREATE INDEX ON dashboard_permissions (user_id);
CREATE TRIGGER update_permissions_updated_at BEFORE UPDATE ON dashboard_permissions
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE dashboard_share_links (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    share_token varchar(255) NOT NULL UNIQUE,
    expires_at timestamp,
    password_hash varchar(255),
    permission varchar(50) DEFAULT 'view',
    is_active boolean DEFAULT true,
    view_count integer DEFAULT 0,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ON dashboard_share_links (dashboard_id);
CREATE TRIGGER update_share_links_updated_at BEFORE UPDATE ON dashboard_share_links
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE dashboard_shares (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    share_token varchar(255) NOT NULL UNIQUE,
    expires_at timestamptz,
    view_count integer DEFAULT 0,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX ON dashboard_shares (dashboard_id);

CREATE TABLE dashboard_exports (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    user_id uuid REFERENCES users ON DELETE SET NULL,
    format varchar(50) NOT NULL,
    options jsonb DEFAULT '{}',
    status varchar(50) DEFAULT 'pending',
    file_path text,
    file_size bigint,
    download_count integer DEFAULT 0,
    error_message text,
    created_at timestamp DEFAULT now(),
    completed_at timestamp
);
CREATE INDEX ON dashboard_exports (dashboard_id);
CREATE INDEX ON dashboard_exports (user_id);
