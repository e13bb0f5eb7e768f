WITH relation AS (
    SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relacl, c.reloptions, c.relpartbound, c.relispartition
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname !~ '^access_event_[0-9]{8}$' AND c.relname <> 'schema_migrations'
), line AS (
    SELECT relname AS place, 10 AS part, 0 AS n, '' AS name, E'\nCREATE ' || CASE relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END || 'TABLE ' || relname
        || coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', '')
        || CASE WHEN relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(oid) ELSE '' END
        || CASE WHEN relispartition THEN ' PARTITION ' || pg_get_expr(relpartbound, oid) ELSE '' END AS text FROM relation
    UNION ALL
    SELECT relname, 11, 0, '', '-- ' || obj_description(oid, 'pg_class') FROM relation WHERE obj_description(oid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT relname, 20, a.attnum, '', '    ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || coalesce((SELECT ' COLLATE "' || collname || '"' FROM pg_collation WHERE oid = a.attcollation AND collname <> 'default'), '')
        || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
        || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
    FROM relation JOIN pg_attribute a ON a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE NOT relispartition
    UNION ALL
    SELECT relname, 30, 0, conname, '    CONSTRAINT ' || conname || ' ' || pg_get_constraintdef(con.oid)
    FROM relation JOIN pg_constraint con ON con.conrelid = relation.oid WHERE NOT relispartition AND con.contype <> 'n'
    UNION ALL
    SELECT relname, 40, 0, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    FROM relation JOIN pg_index i ON i.indrelid = relation.oid
    WHERE NOT relispartition AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))
    UNION ALL
    SELECT relname, 50, 0, '', 'ROW SECURITY ' || CASE WHEN relrowsecurity THEN 'ENABLED' ELSE 'DISABLED' END || CASE WHEN relforcerowsecurity THEN ' FORCED' ELSE '' END FROM relation
    UNION ALL
    SELECT relname, 60, 0, p.policyname, 'POLICY ' || p.policyname || ' FOR ' || p.cmd || ' TO ' || array_to_string(p.roles, ', ')
        || coalesce(' USING ' || p.qual, '') || coalesce(' WITH CHECK ' || p.with_check, '')
    FROM relation JOIN pg_policies p ON p.schemaname = 'public' AND p.tablename = relname
    UNION ALL
    SELECT relname, 70, 0, acl.grantee::regrole::text, 'GRANT ' || string_agg(acl.privilege_type, ', ' ORDER BY acl.privilege_type) || ' TO ' || acl.grantee::regrole
    FROM relation, aclexplode(relacl) acl WHERE acl.grantee::regrole::text <> 'sallyport_owner' GROUP BY relname, acl.grantee
    UNION ALL
    SELECT relname, 71, 0, grantee::regrole::text || privilege_type, 'GRANT ' || privilege_type || ' (' || string_agg(attname, ', ' ORDER BY attname) || ') TO ' || grantee::regrole
    FROM (SELECT relname, a.attname, acl.grantee, acl.privilege_type FROM relation JOIN pg_attribute a ON a.attrelid = relation.oid, aclexplode(a.attacl) acl) col
    GROUP BY relname, grantee, privilege_type
    UNION ALL
    SELECT '~functions', 10, 0, p.proname, E'\n' || pg_get_functiondef(p.oid) || '-- may be called by: ' || coalesce((
        SELECT string_agg(CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END, ', ' ORDER BY acl.grantee::regrole::text)
        FROM aclexplode(p.proacl) acl), 'PUBLIC')
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
)
SELECT text FROM line ORDER BY place COLLATE "C", part, n, name COLLATE "C"
