"""Invariants of what people send: what is bound is stored whole and has one place with one owner (I-23)."""

from backend.kernel.checks import Check

STORED = """
    SELECT id AS media, state, stored_at, owner_noun, owner_key
      FROM media
     WHERE (state = 'BOUND' AND (stored_at IS NULL OR owner_noun IS NULL OR owner_key IS NULL))
        OR (state <> 'BOUND' AND owner_noun IS NOT NULL)
"""

ONE_COMMUNITY = """
    SELECT owner_noun, owner_key, count(DISTINCT community_id) AS communities
      FROM media
     WHERE state = 'BOUND'
     GROUP BY owner_noun, owner_key
    HAVING count(DISTINCT community_id) > 1
"""

CHECKS = (
    Check("I-23", "归属了的照片和附件都已存好，没有归属的不属于任何记录", STORED),
    Check("I-23", "同一条记录的照片和附件属于同一个小区", ONE_COMMUNITY),
)
