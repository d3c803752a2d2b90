-- Reports: when they are made, what became of each run, who is told.

CREATE TABLE report_schedules (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    report_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    schedule_config jsonb NOT NULL,
    distribution_config jsonb NOT NULL,
    parameters jsonb DEFAULT '{}',
    created_by uuid NOT NULL REFERENCES users ON DELETE SET NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    last_run timestamp,
    next_run timestamp,
    run_count integer DEFAULT 0
);
CREATE INDEX ON report_schedules (created_by);
CREATE INDEX ON report_schedules (report_id);
CREATE TRIGGER trigger_update_report_schedules_updated_at BEFORE UPDATE ON report_schedules
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE schedule_executions (
    id varchar(50) PRIMARY KEY,
    schedule_id uuid NOT NULL REFERENCES report_schedules ON DELETE CASCADE,
    started_at timestamp NOT NULL DEFAULT now(),
    completed_at timestamp,
    duration_ms integer,
    status varchar(20) NOT NULL DEFAULT 'running',
    error text,
    distribution_results jsonb,
    report_size_bytes integer,
    records_processed integer
);
CREATE INDEX ON schedule_executions (schedule_id);
CREATE TRIGGER trigger_calculate_execution_duration BEFORE INSERT OR UPDATE ON schedule_executions
    FOR EACH ROW EXECUTE FUNCTION calculate_execution_duration();

CREATE TABLE schedule_execution_logs (
    id serial PRIMARY KEY,
    execution_id varchar(50) NOT NULL REFERENCES schedule_executions ON DELETE CASCADE,
    timestamp timestamp NOT NULL DEFAULT now(),
    level varchar(10) NOT NULL DEFAULT 'info',
    message text NOT NULL,
    context jsonb
);
CREATE INDEX ON schedule_execution_logs (execution_id);

CREATE TABLE schedule_alerts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    schedule_id uuid NOT NULL REFERENCES report_schedules ON DELETE CASCADE,
    alert_type varchar(20) NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    consecutive_failures integer DEFAULT 0,
    delay_minutes integer,
    threshold_config jsonb,
    notification_channels jsonb NOT NULL DEFAULT '[]',
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    last_triggered_at timestamp,
    trigger_count integer DEFAULT 0
);
CREATE INDEX ON schedule_alerts (schedule_id);
CREATE TRIGGER trigger_update_schedule_alerts_updated_at BEFORE UPDATE ON schedule_alerts
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE distribution_history (
    id serial PRIMARY KEY,
    execution_id varchar(50) NOT NULL REFERENCES schedule_executions ON DELETE CASCADE,
    distribution_type varchar(20) NOT NULL,
    started_at timestamp NOT NULL DEFAULT now(),
    completed_at timestamp,
    duration_ms integer,
    success boolean NOT NULL DEFAULT false,
    error text,
    recipient_count integer,
    file_size_bytes integer,
    metadata jsonb DEFAULT '{}'
);
CREATE INDEX ON distribution_history (execution_id);

CREATE TABLE report_exports (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    report_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    format varchar(20) NOT NULL,
    parameters jsonb,
    file_path varchar(500),
    file_size_bytes integer,
    status varchar(20) NOT NULL DEFAULT 'pending',
    error text,
    created_at timestamp NOT NULL DEFAULT now(),
    started_at timestamp,
    completed_at timestamp,
    expires_at timestamp,
    created_by uuid NOT NULL REFERENCES users ON DELETE CASCADE
);
CREATE INDEX ON report_exports (created_by);
CREATE INDEX ON report_exports (report_id);
