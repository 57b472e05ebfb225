"""Whether a person can be reached through an app (触达): set by WeChat's refusals, cleared when the person follows."""

from collections.abc import Sequence

from backend.kernel.db import Tx

SET = "UPDATE wechat_user SET reachable = $3 WHERE appid = $1 AND openid = ANY($2::text[]) AND reachable <> $3"


async def mark_unreachable(tx: Tx, *, appid: str, openids: Sequence[str]) -> None:
    """WeChat says that these do not follow, have blocked us, or refuse messages (official account section 2.2)."""
    await tx.execute(SET, appid, sorted(openids), False)
