"""Invariants of gates: what they let in alone is counted or named (I-20), one key signs, keys are sealed (I-24)."""

from backend.kernel import seals
from backend.kernel.checks import Check
from backend.visitors.gate_models import SEALED

UNNAMED = """
    SELECT e.id AS device_event, e.device_id AS gate, e.outcome, e.reason
      FROM device_event e
     WHERE e.kind = 'visitor_offline'
       AND (e.outcome = 'refused') <> EXISTS (SELECT FROM visitor_conflict c WHERE c.device_event_id = e.id)
"""

TWO_SIGN = """
    SELECT a.community_id, a.no, b.no AS other
      FROM visitor_key a
      JOIN visitor_key b ON b.community_id = a.community_id AND b.no > a.no
     WHERE a.distrusted_at IS NULL AND b.distrusted_at IS NULL
       AND tstzrange(a.signs_from, a.signs_until) && tstzrange(b.signs_from, b.signs_until)
"""

CHECKS = (
    Check("I-20", "断网期间放行的每个人都已计数，或列为冲突", UNNAMED),
    Check("I-20", "同一时刻每个小区只有一把密钥签发通行码", TWO_SIGN),
    seals.check("通行码密钥只存密文", SEALED),
)
