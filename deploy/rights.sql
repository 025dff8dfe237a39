-- What the gateway's role may do in the database: use the tables, and nothing else. The role postern_app is made once
-- (docs/scaling.md says how); this runs after every `postern migrate`, by the role that migrates, a member of it.

GRANT USAGE ON SCHEMA public TO postern_app;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO postern_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO postern_app;

-- The tables of the jobs are graphile-worker's, which keeps them from everybody but their owner (row security).
ALTER SCHEMA graphile_worker OWNER TO postern_app;
DO $$
DECLARE
  relation regclass;
BEGIN
  FOR relation IN
    SELECT oid FROM pg_class
    WHERE relnamespace = 'graphile_worker'::regnamespace AND relkind IN ('r', 'p', 'v')
      AND relowner <> 'postern_app'::regrole
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO postern_app', relation);
  END LOOP;
END
$$;
