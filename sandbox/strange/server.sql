-- What only a superuser makes: publications of everything, event triggers, settings of the database.
CREATE PUBLICATION "every, thing" FOR ALL TABLES;
CREATE PUBLICATION "so""me" FOR TABLE odd."a,b" (id, "a,b") WHERE (id > 0);
CREATE PUBLICATION one_schema FOR TABLES IN SCHEMA "sch""ema, ünd.co %";
CREATE FUNCTION shape."not,ed"() RETURNS event_trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE LOG 'somebody changed something: %', tg_tag;
END
$body$;
CREATE EVENT TRIGGER "not,ed" ON ddl_command_end EXECUTE FUNCTION shape."not,ed"();
