-- Keys are computed from row numbers, so parents need not be looked up. `wanted` has the rows that a table shall get;
-- a table that is not in it gets three.

CREATE FUNCTION pg_temp.rows(of text) RETURNS bigint LANGUAGE sql IMMUTABLE
    AS $$ SELECT coalesce((SELECT wanted.rows FROM pg_temp.wanted WHERE wanted.name = of), 3) $$;
CREATE FUNCTION pg_temp.numbers(of text) RETURNS SETOF bigint LANGUAGE sql IMMUTABLE
    AS $$ SELECT generate_series(1, pg_temp.rows(of)) $$;
CREATE FUNCTION pg_temp.key(of text, i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT md5(of || i::text)::uuid $$;
CREATE FUNCTION pg_temp.one(of text, i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT pg_temp.key(of, 1 + i % pg_temp.rows(of)) $$;
CREATE FUNCTION pg_temp.pick(choices text[], i bigint) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT choices[1 + i % cardinality(choices)] $$;
CREATE FUNCTION pg_temp.word(i bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT (ARRAY['sprint','review','backlog','invoice','launch','design','customer','onboarding','release',
        'incident','budget','campaign','hiring','roadmap','quarter','mobile','search','billing','partner','audit',
        'pricing','metrics','support','renewal','security','training','website','feedback','meeting','forecast',
        'handover','migration'])[1 + abs(hashint8(i)) % 32] $$;
CREATE FUNCTION pg_temp.days_ago(days double precision) RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT now() - days * interval '1 day' $$;
