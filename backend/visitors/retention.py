"""How long visitors' personal data is kept (I-24): names, phones, plates and numbers are erased `keep_days` of the
community's rule after the end; the visit itself, without them, stays as a record."""

from backend.kernel.db import Tx
from backend.visitors.rules import USUAL

# Indexes visitor_pass_kept, visitor_walk_in_kept, goods_permit_kept. $2: the usual number of days.
_DUE = """
    make_interval(days => coalesce((SELECT r.keep_days FROM visitor_rule r WHERE r.community_id = t.community_id), $2))
"""
PASSES = f"""
    UPDATE visitor_pass t
       SET name_sealed = NULL, phone_sealed = NULL, phone_blind = NULL, phone_tail_blind = NULL, plate_sealed = NULL,
           plate_blind = NULL, purpose = ''
     WHERE t.name_sealed IS NOT NULL AND t.valid_until + {_DUE} <= $1
"""  # noqa: S608 - constants
WALK_INS = f"""
    UPDATE visitor_walk_in t
       SET name_sealed = NULL, phone_sealed = NULL, phone_blind = NULL, phone_tail_blind = NULL,
           id_number_blind = NULL, plate_sealed = NULL, plate_blind = NULL
     WHERE t.name_sealed IS NOT NULL AND t.registered_at + {_DUE} <= $1
"""  # noqa: S608 - constants
GOODS = f"""
    UPDATE goods_permit t SET name_sealed = NULL, plate_sealed = NULL
     WHERE t.name_sealed IS NOT NULL AND t.valid_until + {_DUE} <= $1
"""  # noqa: S608 - constants


async def forget(tx: Tx) -> None:
    """Erase the personal data that has been kept long enough."""
    for statement in (PASSES, WALK_INS, GOODS):
        await tx.execute(statement, tx.now, USUAL.keep_days)
