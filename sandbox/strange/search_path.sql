-- Functions, conditions and views that find what they need by the search_path alone.
CREATE TABLE public.path_words (word text PRIMARY KEY);
INSERT INTO path_words SELECT 'word ' || i FROM generate_series(1, 30) i;
CREATE FUNCTION public.path_low(text) RETURNS text IMMUTABLE STRICT LANGUAGE plpgsql AS $$ BEGIN RETURN lower($1); END $$;
CREATE FUNCTION public.path_known(text) RETURNS text IMMUTABLE STRICT LANGUAGE plpgsql AS
    $$ BEGIN RETURN path_low($1); END $$;
CREATE INDEX path_index ON path_words (path_known(word));
ALTER TABLE path_words ADD CHECK (path_known(word) <> '');
CREATE FUNCTION public.path_count() RETURNS bigint LANGUAGE plpgsql AS
    $$ BEGIN RETURN (SELECT count(*) FROM path_words); END $$;
CREATE MATERIALIZED VIEW public.path_counted AS SELECT path_count() AS words;
