-- name: tables
-- Every table with its columns, indexes and checks, as the catalogue has them.
SELECT t.relname::text AS name, obj_description(t.oid) AS comment,
    (SELECT jsonb_agg(jsonb_build_object(
            'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
            'nullable', NOT a.attnotnull,
            'default', CASE WHEN a.attidentity <> '' THEN 'identity'
                ELSE pg_get_expr(d.adbin, d.adrelid) END,
            'comment', col_description(t.oid, a.attnum)) ORDER BY a.attnum)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    ARRAY(SELECT pg_get_indexdef(i.indexrelid)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = t.oid ORDER BY NOT i.indisprimary, c.relname) AS indexes,
    ARRAY(SELECT pg_get_constraintdef(k.oid, true) FROM pg_constraint k
        WHERE k.conrelid = t.oid AND k.contype IN ('c', 'f')
        ORDER BY k.contype DESC, k.conname) AS checks
FROM pg_class t
WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')
ORDER BY t.relname;

-- name: functions
SELECT p.proname::text AS name, pg_get_function_identity_arguments(p.oid) AS arguments,
    pg_get_function_result(p.oid) AS result, obj_description(p.oid) AS comment
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.proname;
