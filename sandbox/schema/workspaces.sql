-- Workspaces: who works in them, and what comes from ClickUp.

CREATE TABLE workspaces (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL,
    clickup_team_id varchar(50),
    encrypted_api_key text NOT NULL,
    api_key_iv varchar(32) NOT NULL,
    webhook_secret varchar(255),
    is_active boolean DEFAULT true,
    last_sync_at timestamptz,
    rate_limit_remaining integer,
    rate_limit_reset_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    created_by uuid REFERENCES users,
    visibility varchar(50) DEFAULT 'private'
);
CREATE INDEX ON workspaces (created_by);
CREATE INDEX ON workspaces (organization_id);
CREATE TRIGGER update_workspaces_updated_at BEFORE UPDATE ON workspaces
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE workspace_members (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role varchar(50) DEFAULT 'member',
    created_at timestamp DEFAULT now(),
    UNIQUE (workspace_id, user_id)
);
CREATE INDEX ON workspace_members (user_id);

CREATE TABLE teams (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    description text,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ON teams (workspace_id);
CREATE TRIGGER update_teams_updated_at BEFORE UPDATE ON teams
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE team_members (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    team_id uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role varchar(50) DEFAULT 'member',
    created_at timestamp DEFAULT now(),
    UNIQUE (team_id, user_id)
);
CREATE INDEX ON team_members (user_id);

CREATE TABLE filter_presets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    filters jsonb NOT NULL,
    is_global boolean DEFAULT false,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX ON filter_presets (workspace_id);
CREATE TRIGGER update_filter_presets_updated_at BEFORE UPDATE ON filter_presets
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE cached_data (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    cache_key varchar(500) NOT NULL,
    data_type varchar(50) NOT NULL,
    data jsonb NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz DEFAULT now(),
    UNIQUE (workspace_id, cache_key)
);

CREATE TABLE api_request_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,
    endpoint varchar(255) NOT NULL,
    method varchar(10) NOT NULL,
    status_code integer,
    response_time_ms integer,
    error_message text,
    rate_limit_remaining integer,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX ON api_request_logs (workspace_id, created_at);

CREATE TABLE tasks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    task_id varchar(255) NOT NULL UNIQUE,
    task_name text NOT NULL,
    status varchar(100),
    task_content text,
    assignee text,
    priority varchar(50),
    latest_comment text,
    comment_count integer DEFAULT 0,
    assigned_comment_count integer DEFAULT 0,
    due_date timestamp,
    start_date timestamp,
    date_created timestamp,
    date_updated timestamp,
    date_closed timestamp,
    date_done timestamp,
    created_by varchar(255),
    space varchar(255),
    folder varchar(255),
    list varchar(255),
    subtask_ids jsonb,
    subtask_urls jsonb,
    tags jsonb,
    lists jsonb,
    sprints jsonb,
    linked_tasks jsonb,
    linked_docs jsonb,
    time_logged varchar(100),
    time_logged_rolled_up varchar(100),
    time_estimate varchar(100),
    time_estimate_rolled_up varchar(100),
    time_in_status varchar(100),
    points_estimate_rolled_up numeric(10,2),
    alpha_draft_date date,
    alpha_review_date date,
    at_risk_checkbox boolean,
    beta_review_date date,
    beta_revision_date date,
    design_priority varchar(100),
    developer jsonb,
    development_status varchar(100),
    final_review_sign_off_date date,
    final_revision_received_date date,
    graphics_design_request_checkbox boolean,
    itc_phase varchar(50),
    l2_substream varchar(255),
    l3_labels jsonb,
    l3_script_available_checkbox boolean,
    modalities jsonb,
    number_of_screens integer,
    overall_due_date date,
    overdue_status varchar(50),
    progress_updates text,
    qa_users jsonb,
    qa_date date,
    qa_lm_users jsonb,
    ready_to_be_assigned_checkbox boolean,
    release_status varchar(100),
    roles jsonb,
    sme_approver jsonb,
    script_received_date date,
    sign_off_received_date date,
    start_date_custom date,
    submit_first_draft_date date,
    t_codes jsonb,
    target_close_date date,
    temp_archived_checkbox boolean,
    value_stream varchar(100),
    value_stream_lead jsonb,
    last_synced_at timestamp,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    space_id varchar(255),
    list_id varchar(255),
    UNIQUE (workspace_id, task_id)
);
CREATE TRIGGER tasks_updated_at BEFORE UPDATE ON tasks
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE task_sync_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    sync_type varchar(50) NOT NULL,
    tasks_synced integer DEFAULT 0,
    tasks_created integer DEFAULT 0,
    tasks_updated integer DEFAULT 0,
    tasks_deleted integer DEFAULT 0,
    sync_started_at timestamp NOT NULL DEFAULT now(),
    sync_completed_at timestamp,
    status varchar(50) DEFAULT 'running',
    error_message text,
    metadata jsonb DEFAULT '{}',
    created_at timestamp DEFAULT now()
);
CREATE INDEX ON task_sync_history (workspace_id);
