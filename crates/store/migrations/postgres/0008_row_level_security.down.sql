-- The role mainstay_app stays: it belongs to the cluster, and other databases may use it.
DO $$
DECLARE
  policy record;
BEGIN
  FOR policy IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public' LOOP
    EXECUTE format('DROP POLICY %I ON %I', policy.policyname, policy.tablename);
    EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', policy.tablename);
    EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', policy.tablename);
    EXECUTE format('REVOKE ALL ON %I FROM mainstay_app', policy.tablename);
  END LOOP;
END $$;
REVOKE USAGE ON SCHEMA public FROM mainstay_app;
