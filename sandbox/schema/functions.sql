-- What the tables' triggers and policies call.

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE FUNCTION calculate_execution_duration() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.duration_ms := extract(epoch FROM NEW.completed_at - NEW.started_at) * 1000;
    RETURN NEW;
END $$;

CREATE FUNCTION audit_policy_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.rls_policy_audit (policy_id, action, old_values, new_values, performed_by)
    VALUES (NEW.id, lower(TG_OP), CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END, to_jsonb(NEW), NEW.created_by);
    RETURN NULL;
END $$;

-- The application says in each transaction for which organization it works (app.organization_id). What is of no
-- single organization (log-in, sign-up, jobs, health checks) says app.sees_all = on.
CREATE FUNCTION works_for(organization uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT current_setting('app.sees_all', true) = 'on'
        OR organization::text = current_setting('app.organization_id', true)
$$;
