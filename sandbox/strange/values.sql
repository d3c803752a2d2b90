-- Types that people make, and values that are easily lost on the way.
CREATE SCHEMA val;
CREATE TYPE val."mo""od" AS ENUM ('sad', 'it''s ok', 'h"appy', '');
CREATE DOMAIN val."posi tive" AS int CHECK (VALUE > 0);
CREATE TYPE val.pair AS ("l""eft" int, "right" text);
CREATE TYPE val.floats AS RANGE (subtype = float8, subtype_diff = float8mi);

CREATE TABLE val.all_types (
    id bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5) PRIMARY KEY,
    mood val."mo""od" NOT NULL,
    positive val."posi tive",
    pair val.pair,
    pairs val.pair[],
    span val.floats,
    many int4multirange,
    period tstzrange,
    plain json,
    better jsonb,
    words text[],
    grid int[][],
    exact numeric,
    rounded numeric(10, 2),
    near float8,
    nearer real,
    moment timestamptz,
    without_zone timestamp,
    day date,
    how_long interval,
    raw bytea,
    flags bit varying(12),
    at_home inet,
    found tsvector,
    somewhere point,
    markup xml,
    one_letter "char",
    doubled numeric GENERATED ALWAYS AS (exact * 2) STORED
);
INSERT INTO val.all_types (mood, exact, near, moment, without_zone, day, how_long, plain, better, words, grid, raw)
SELECT 'h"appy', x, y, z, z::timestamp, z::date, '1 mon -1 day 00:00:00.000001', '{"b": 1, "a": 1.00, "b": 2}',
    '{"n": 1.00, "s": "\u00e4\" \\ "}', '{"a,b","c\"d",NULL,"NULL","",x}', '{{1,2},{3,NULL}}', '\x00ff5c27'
FROM (VALUES ('NaN'::numeric, 'NaN'::float8, 'infinity'::timestamptz), ('Infinity', 'Infinity', '-infinity'),
    ('-Infinity', '-Infinity', '4713-01-01 00:00+00 BC'), ('1.00', '-0', '294276-12-31 23:59:59.999999+00'),
    ('0.1', '5e-324', '1883-11-18 12:03:57.5+00'), ('1e-1000', '1.7976931348623157e308', now())) v (x, y, z);
UPDATE val.all_types SET positive = id, pair = ROW(1, 'a "quoted", one'), pairs = ARRAY[ROW(1, NULL)::val.pair, NULL],
    span = '[1,2]', many = '{[1,3),[5,)}', period = '(,infinity]', flags = B'101', at_home = '10.0.0.1/8',
    found = to_tsvector('simple', 'it''s "odd"'), somewhere = '(1,NaN)', one_letter = 'x', rounded = -0.005,
    nearer = '-Infinity', markup = '<a b="c">&amp;</a>';

-- Rows of 2 MB, as they are and compressed.
CREATE TABLE val.large (id int PRIMARY KEY, document text, document_plain text, raw bytea);
ALTER TABLE val.large ALTER document_plain SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;
INSERT INTO val.large
SELECT i, body, CASE WHEN i = 1 THEN body END, CASE WHEN i = 2 THEN body::bytea END
FROM (SELECT i, string_agg(md5(i || '.' || j), '') AS body
      FROM generate_series(1, 3) i, generate_series(1, 65536) j GROUP BY i) made;

CREATE TABLE val.no_columns ();
INSERT INTO val.no_columns DEFAULT VALUES;
INSERT INTO val.no_columns DEFAULT VALUES;
INSERT INTO val.no_columns SELECT FROM val.no_columns;
CREATE TABLE val.no_key (v int, w json);
INSERT INTO val.no_key SELECT i % 3, '{"a": 1}' FROM generate_series(1, 50) i;
CREATE UNLOGGED TABLE val.not_logged (id int PRIMARY KEY, v text);
INSERT INTO val.not_logged SELECT i, 'gone after a crash' FROM generate_series(1, 30) i;
-- Columns that were dropped, and one that was added with a value that no row holds.
CREATE TABLE val.changed (a int, b text, id int PRIMARY KEY, d text);
INSERT INTO val.changed SELECT i, 'b', i, 'd' FROM generate_series(1, 10) i;
ALTER TABLE val.changed DROP a, DROP d, ADD e text NOT NULL DEFAULT 'added';

SELECT lo_from_bytea(0, decode(repeat('00ff27', 50000), 'hex')), lo_from_bytea(0, ''), lo_from_bytea(0, 'small');
COMMENT ON TABLE val.large IS 'as long as an argument may not be';
