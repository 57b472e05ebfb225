"""How staff log in: password and, once enrolled, a code; constant answers, bounded guessing (security: brute force).

An attempt is counted before the password is looked at, by what was typed and not by the account it may name, so that
neither the answer nor its time tells whether an account exists, and parallel guesses are counted one by one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from backend.identity import sessions
from backend.kernel import audit, passwords
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Record, Tx
from backend.kernel.errors import Forbidden, TooMany, Unauthenticated
from backend.kernel.ids import random_text
from backend.kernel.resources import Resources

MAX_FAILURES = 5
WINDOW = timedelta(minutes=15)
CODE_LIFETIME = timedelta(minutes=10)
CODE_LENGTH = 8

COUNT = """
    INSERT INTO login_guard AS g (login_hash, failures, since) VALUES ($1, 1, $2)
        ON CONFLICT (login_hash) DO UPDATE
       SET failures = CASE WHEN g.since > $3 THEN g.failures + 1 ELSE 1 END,
           since = CASE WHEN g.since > $3 THEN g.since ELSE $2 END
    RETURNING failures
"""
FORGIVE = "DELETE FROM login_guard WHERE login_hash = $1"
PURGE_GUARDS = "DELETE FROM login_guard WHERE since < $1"
BY_LOGIN = "SELECT id, password_hash FROM staff WHERE login = $1"
LOCK = "SELECT * FROM staff WHERE id = $1 FOR UPDATE"
USE_STEP = "UPDATE staff SET totp_last_step = $2 WHERE id = $1"
REHASH = "UPDATE staff SET password_hash = $2 WHERE id = $1"
NEW_CODE = "INSERT INTO staff_wechat_code (code_hash, staff_id, created_at, expires_at) VALUES ($1, $2, $3, $4)"
VOID_CODES = "UPDATE staff_wechat_code SET expires_at = $2 WHERE staff_id = $1 AND used_at IS NULL AND expires_at > $2"
USE_CODE = """
    UPDATE staff_wechat_code c SET used_at = $2
      FROM staff m
     WHERE c.code_hash = $1 AND c.used_at IS NULL AND c.expires_at > $2 AND m.id = c.staff_id AND m.state = 'ACTIVE'
 RETURNING m.id, m.company_id, m.name
"""
UNBIND = """
    UPDATE wechat_user u SET staff_id = NULL
      FROM wechat_user me
     WHERE me.id = $1 AND u.appid = me.appid AND u.staff_id = $2
"""
BIND = "UPDATE wechat_user SET staff_id = $2 WHERE id = $1"
PURGE_CODES = "DELETE FROM staff_wechat_code WHERE expires_at < $1"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A fresh session of staff."""

    token: str
    expires_at: datetime
    staff_id: UUID
    second_factor: bool


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code shown once, typed into the mini-program."""

    code: str
    expires_at: datetime


async def log_in(res: Resources, *, login: str, password: str, totp: str | None, request_id: str) -> LoggedIn:
    """Check login, password and second factor; one and the same Unauthenticated for whatever is wrong.

    Raises TooMany after MAX_FAILURES attempts within WINDOW, for unknown logins as well.
    """
    login_hash = sha256(login.encode()).digest()
    await res.db.transact(lambda tx: _count(tx, login_hash))
    known = await res.db.fetchrow(BY_LOGIN, login)
    stored: str | None = None if known is None else known["password_hash"]
    if not await passwords.verify_password(stored, password) or known is None or stored is None:
        raise _refused()
    fresh = await passwords.hash_password(password) if passwords.is_outdated(stored) else None

    async def work(tx: Tx) -> LoggedIn:
        row = await tx.fetchrow(LOCK, known["id"])
        if row is None or row["state"] != "ACTIVE" or row["password_hash"] != stored:
            raise _refused()
        second_factor = await _second_factor(tx, res.keyring, row, totp)
        if fresh is not None:
            await tx.execute(REHASH, row["id"], fresh)
        await tx.execute(FORGIVE, login_hash)
        session = await sessions.open_for_staff(tx, row["id"], second_factor=second_factor)
        audit.record(
            tx, Actor("staff", row["id"], request_id), action="staff.logged_in", target=f"staff:{row['id']}",
            community_id=row["company_id"], after={"second_factor": second_factor},
        )  # fmt: skip
        return LoggedIn(session.token, session.expires_at, row["id"], second_factor)

    return await res.db.transact(work)


async def _count(tx: Tx, login_hash: bytes) -> None:
    """Count one attempt. A refused one is not kept, so the count stays at the limit until the window has passed."""
    failures = await tx.fetchval(COUNT, login_hash, tx.now, tx.now - WINDOW)
    if failures > MAX_FAILURES:
        raise TooMany("尝试次数过多，请 15 分钟后再试。", code="login_locked")


async def _second_factor(tx: Tx, keyring: Keyring, row: Record, totp: str | None) -> bool:
    """Whether the session has a second factor; refuses an enrolled account without a fresh, right code."""
    if row["totp_secret_sealed"] is None:
        return False
    secret = keyring.open(bytes(row["totp_secret_sealed"]), Context("staff", "totp_secret_sealed", row["id"]))
    step = passwords.verify_totp(secret, totp or "", at=tx.now, last_step=row["totp_last_step"])
    if step is None:
        raise _refused()
    await tx.execute(USE_STEP, row["id"], step)
    return True


def _refused() -> Unauthenticated:
    return Unauthenticated("登录名、密码或动态验证码不正确。", code="login_refused")


async def offer_wechat_code(tx: Tx, actor: Actor, *, staff_id: UUID, company_id: UUID) -> OneTimeCode:
    """A code by which a member of staff binds the WeChat in hand; an earlier unused one ends."""
    code = random_text(CODE_LENGTH)
    expires_at = tx.now + CODE_LIFETIME
    await tx.execute(VOID_CODES, staff_id, tx.now)
    await tx.execute(NEW_CODE, sha256(code.encode()).digest(), staff_id, tx.now, expires_at)
    audit.record(tx, actor, action="staff.wechat_code_offered", target=f"staff:{staff_id}", community_id=company_id)
    return OneTimeCode(code, expires_at)


async def bind_wechat(tx: Tx, actor: Actor, *, wechat_user_id: UUID, code: str) -> str:
    """Use a code once, tying the WeChat user to the member of staff; returns the member's name.

    The member's earlier WeChat of the same app is untied. Forbidden `code_refused` for a wrong, used or old code.
    """
    row = await tx.fetchrow(USE_CODE, sha256(code.encode()).digest(), tx.now)
    if row is None:
        raise Forbidden("绑定码不正确或已失效，请在管理后台重新获取。", code="code_refused")
    await tx.execute(UNBIND, wechat_user_id, row["id"])
    await tx.execute(BIND, wechat_user_id, row["id"])
    audit.record(
        tx, actor, action="staff.wechat_bound", target=f"staff:{row['id']}", community_id=row["company_id"],
        after={"wechat_user_id": str(wechat_user_id)},
    )  # fmt: skip
    return str(row["name"])


async def purge(tx: Tx) -> None:
    """Retention: forget old counts and codes."""
    await tx.execute(PURGE_GUARDS, tx.now - timedelta(days=1))
    await tx.execute(PURGE_CODES, tx.now - timedelta(days=1))
