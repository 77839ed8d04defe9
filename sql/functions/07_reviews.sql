-- Reviews.

-- A review as everybody sees it (`body`), and as its two parties do (`own`).
CREATE OR REPLACE FUNCTION review_json(v reviews) RETURNS TABLE (body json, own json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        json_build_object(
            'id', v.id,
            'rating', v.rating,
            'comment', v.comment,
            'mentee', party(u),
            'createdAt', iso(v.created_at)
        ),
        json_build_object(
            'id', v.id,
            'sessionId', v.booking_id,
            'rating', v.rating,
            'comment', v.comment,
            'mentor', party(m),
            'mentee', party(u),
            'createdAt', iso(v.created_at)
        )
    FROM mentors AS m
    CROSS JOIN users AS u
    WHERE m.id = v.mentor_id AND u.id = v.mentee_id
$$;
