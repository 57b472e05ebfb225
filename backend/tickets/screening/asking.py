"""Having WeChat asked about one check: a job of its own."""

from uuid import UUID

from backend.kernel import outbox
from backend.kernel.db import Tx
from backend.kernel.outbox import Lane

TO_CHECK = "tickets.to_check"


def ask(tx: Tx, check_id: UUID, *, community_id: UUID) -> None:
    """Have WeChat asked, when the transaction is through."""
    outbox.emit(tx, TO_CHECK, {"check_id": str(check_id)}, community_id=community_id, lane=Lane.BULK)
