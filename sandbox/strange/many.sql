-- Small tables, so many as the setting says. A few hundred to a transaction: each takes locks.
DO $make$
BEGIN
    FOR i IN 1 .. current_setting('sandbox.tables')::int LOOP
        EXECUTE format(
            'CREATE TABLE "many, of them"."t, %s" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text NOT NULL CHECK (v <> ''''))', i
        );
        EXECUTE format('INSERT INTO "many, of them"."t, %s" (v) VALUES (''one''), (''two'')', i);
        IF i % 300 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
END
$make$;
