-- Tables that are made of others: partitions (of partitions), heirs; and keys of every kind.
CREATE SCHEMA shape;
CREATE TABLE shape.events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    region text NOT NULL DEFAULT 'eu',
    PRIMARY KEY (id, at, region)
) PARTITION BY RANGE (at);
CREATE TABLE shape."events, 2023" PARTITION OF shape.events FOR VALUES FROM ('2023-01-01Z') TO ('2024-01-01Z');
CREATE TABLE shape.events_2024 PARTITION OF shape.events FOR VALUES FROM ('2024-01-01Z') TO ('2025-01-01Z')
    PARTITION BY LIST (region);
CREATE TABLE shape."events ""eu""" PARTITION OF shape.events_2024 FOR VALUES IN ('eu', 'it''s');
CREATE TABLE shape.events_other PARTITION OF shape.events_2024 DEFAULT PARTITION BY HASH (id);
CREATE TABLE shape.events_other_0 PARTITION OF shape.events_other FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shape.events_other_1 PARTITION OF shape.events_other FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE shape.events_rest PARTITION OF shape.events DEFAULT;
INSERT INTO shape.events (at, region)
SELECT '2023-06-01Z'::timestamptz + i * interval '10 days', CASE i % 3 WHEN 0 THEN 'eu' WHEN 1 THEN 'us' ELSE 'it''s' END
FROM generate_series(0, 99) i;
CREATE INDEX ON shape.events (region);
CREATE TABLE shape.of_events (
    event_id bigint, event_at timestamptz, region text,
    FOREIGN KEY (event_id, event_at, region) REFERENCES shape.events
);
INSERT INTO shape.of_events SELECT id, at, region FROM shape.events LIMIT 20;
CREATE TABLE shape.nothing_yet (id int) PARTITION BY LIST (id);

CREATE TABLE shape.animals (id serial PRIMARY KEY, name text NOT NULL, CHECK (id > 0));
CREATE TABLE shape.dogs (breed text, PRIMARY KEY (id)) INHERITS (shape.animals);
CREATE TABLE shape."pupp,ies" (CHECK (breed <> '')) INHERITS (shape.dogs);
INSERT INTO shape.animals (name) SELECT 'animal' FROM generate_series(1, 5);
INSERT INTO shape.dogs (name, breed) SELECT 'dog', 'b' FROM generate_series(1, 6);
INSERT INTO shape."pupp,ies" (name, breed) SELECT 'puppy', 'b' FROM generate_series(1, 7);

CREATE COLLATION shape."ger""man" (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION shape.careless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE shape.keys (
    id int PRIMARY KEY,
    name text COLLATE shape.careless UNIQUE,
    german text COLLATE shape."ger""man",
    low int,
    high int,
    area box,
    tags text[],
    body jsonb,
    parent_id int REFERENCES shape.keys DEFERRABLE INITIALLY DEFERRED,
    position int UNIQUE DEFERRABLE INITIALLY DEFERRED,
    maybe int,
    UNIQUE NULLS NOT DISTINCT (low, maybe),
    CONSTRAINT "never together" EXCLUDE USING gist (int4range(low, high) WITH &&) WHERE (low IS NOT NULL),
    CHECK (low < high)
);
INSERT INTO shape.keys
SELECT i, 'Name ' || i, 'Ä' || i, i * 10, i * 10 + 5, box(point(i, i), point(i + 1, i + 1)), ARRAY['t' || i, 'a,b'],
    jsonb_build_object('n', i), (i + 1) % 60, -i, NULLIF(i % 7, 0)
FROM generate_series(0, 59) i;
SET CONSTRAINTS ALL IMMEDIATE;
CREATE UNIQUE INDEX "by ""lower"" name" ON shape.keys (lower(german || ' | `x`'), (low + high)) INCLUDE (position);
CREATE UNIQUE INDEX some_only ON shape.keys (german) WHERE low > 100 AND german <> '%';
CREATE INDEX ON shape.keys USING hash (german);
CREATE INDEX ON shape.keys USING gin (tags, body);
CREATE INDEX ON shape.keys USING gist (area);
CREATE INDEX ON shape.keys USING spgist (german);
CREATE INDEX ON shape.keys USING brin (low) WITH (pages_per_range = 1);
CREATE INDEX "d,esc" ON shape.keys (german DESC NULLS LAST, name COLLATE "C");
CREATE STATISTICS shape."stat, istics" ON low, high FROM shape.keys;

CREATE SEQUENCE shape."down,wards" INCREMENT -1 MAXVALUE 10 START 5 CYCLE;
SELECT nextval('shape."down,wards"');
CREATE VIEW shape."vi.ew" WITH (security_barrier) AS SELECT id, name FROM shape.keys WHERE low > 10 WITH CHECK OPTION;
CREATE RULE "no, delete" AS ON DELETE TO shape.of_events WHERE old.event_id < 0 DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW shape.sums AS SELECT region, count(*) AS events FROM shape.events GROUP BY region;
CREATE UNIQUE INDEX ON shape.sums (region);
CREATE MATERIALIZED VIEW shape.never_filled AS SELECT 1 AS one WITH NO DATA;

CREATE FUNCTION shape."tou""ched"() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    NEW.name := NEW.name || '';
    RETURN NEW;
END
$body$;
CREATE TRIGGER "tri,gger" BEFORE INSERT OR UPDATE ON shape.animals FOR EACH ROW EXECUTE FUNCTION shape."tou""ched"();
CREATE FUNCTION shape.fold(text) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS $$ SELECT pg_catalog.lower($1) $$;
CREATE INDEX folded ON shape.animals (shape.fold(name));
ALTER TABLE shape.animals ADD CHECK (shape.fold(name) <> 'x');
ALTER TABLE shape.of_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
