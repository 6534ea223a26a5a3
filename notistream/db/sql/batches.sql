-- name: create
INSERT INTO batches (id, tenant_id, total_count, rejected_count)
VALUES (@id, @tenant_id, @total_count, @rejected_count) RETURNING created_at;

-- name: get
SELECT b.*, (
    SELECT coalesce(jsonb_object_agg(status, n), '{}')
    FROM (SELECT status, count(*) AS n FROM notifications WHERE batch_id = b.id GROUP BY status) s
) AS statuses
FROM batches b WHERE b.tenant_id = @tenant_id AND b.id = @id;
