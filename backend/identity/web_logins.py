"""Logging in on a page that is open in the official account (网页登录): a session like the mini-program's (R10).

Promises: one state of the web login stands for one WeChat user, whoever comes first with it; a double click or a
prefetch ends where the first one did (pitfalls E17). A session is opened only for who is linked to a person, by union
id or by binding. The caller has checked the state against the browser, and asked WeChat, before the transaction.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from backend.identity import sessions, wechat_users
from backend.identity.sessions import Session
from backend.kernel.db import Tx
from backend.kernel.errors import Forbidden

KEPT = timedelta(days=1)

ADD = "INSERT INTO web_login (state_hash, wechat_user_id, at) VALUES ($1, $2, $3) ON CONFLICT (state_hash) DO NOTHING"

FOUND = """
    SELECT u.id, u.person_id FROM web_login w JOIN wechat_user u ON u.id = w.wechat_user_id WHERE w.state_hash = $1
"""

PURGE = "DELETE FROM web_login WHERE at < $1"


class NotLinked(Forbidden):
    """WeChat has said who it is, and it is nobody whom we know."""

    code = "not_linked"
    message = (
        "这个微信还没有和住户身份绑定。请打开物业小程序，登录并绑定手机号，再在小程序的“我的”里用公众号绑定码完成绑定，"
        "然后回到这里重新进入。"
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """How a web login ended; without a session the WeChat user is linked to no person."""

    session: Session | None


async def finish(tx: Tx, *, state: str, appid: str, openid: str, unionid: str | None) -> Ended:
    """WeChat has answered for this state; where it has before, that answer stands."""
    user_id, _ = await wechat_users.meet(tx, appid=appid, openid=openid, unionid=unionid)
    await tx.execute(ADD, _hash(state), user_id, tx.now)
    ended = await again(tx, state=state)
    assert ended is not None
    return ended


async def again(tx: Tx, *, state: str) -> Ended | None:
    """A further request with a state that has ended; None where it has not."""
    found = await tx.fetchrow(FOUND, _hash(state))
    if found is None:
        return None
    return Ended(None if found["person_id"] is None else await sessions.open_for_resident(tx, found["id"]))


async def purge(tx: Tx) -> None:
    """Retention: states are good for minutes."""
    await tx.execute(PURGE, tx.now - KEPT)


def _hash(state: str) -> bytes:
    return sha256(state.encode()).digest()
