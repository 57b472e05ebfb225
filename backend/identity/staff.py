"""Staff (员工): accounts, passwords, second factors and roles (S2, D12).

Every change leaves an entry in the audit, in its transaction (I-22), and ends the sessions of the one changed. Nobody
changes their own roles or state: the last administrator can therefore not be lost. Audit entries about staff carry the
company's id as their community, which company-wide roles hold in their scope.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg

from backend.identity import sessions
from backend.identity.roles import Role
from backend.kernel import audit, passwords
from backend.kernel.audit import Actor
from backend.kernel.crypto import Context, Keyring
from backend.kernel.db import Reader, Record, Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from backend.kernel.ids import uuid7


class StaffState(StrEnum):
    """A disabled account keeps its history and opens nothing."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


INSERT = """
    INSERT INTO staff (id, company_id, login, name, password_hash, state, created_at)
    VALUES ($1, $2, $3, $4, $5, 'ACTIVE', $6)
"""
LOCK = "SELECT * FROM staff WHERE id = $1 FOR UPDATE"
SET_NAME = "UPDATE staff SET name = $2 WHERE id = $1"
SET_STATE = "UPDATE staff SET state = $2 WHERE id = $1"
SET_PASSWORD = "UPDATE staff SET password_hash = $2 WHERE id = $1"
OFFER_TOTP = "UPDATE staff SET totp_pending_sealed = $2 WHERE id = $1"
SET_TOTP = "UPDATE staff SET totp_secret_sealed = $2, totp_pending_sealed = NULL, totp_last_step = $3 WHERE id = $1"
GRANT = """
    INSERT INTO staff_role (staff_id, role, community_id, granted_by, granted_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING
    RETURNING staff_id
"""
REVOKE = """
    DELETE FROM staff_role
     WHERE staff_id = $1 AND role = $2 AND community_id IS NOT DISTINCT FROM $3
 RETURNING staff_id
"""
IS_OF_COMPANY = "SELECT 1 FROM company_community WHERE company_id = $1 AND community_id = $2"
MEMBERS = """
    SELECT m.id, m.login, m.name, m.state, m.created_at, m.totp_secret_sealed IS NOT NULL AS has_totp,
           array(SELECT r.role || coalesce(':' || r.community_id::text, '')
                   FROM staff_role r WHERE r.staff_id = m.id ORDER BY 1) AS roles
      FROM staff m
     WHERE m.company_id = $1 AND ($2::uuid IS NULL OR m.id = $2) AND m.login > $3
     ORDER BY m.login
     LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role, in one community or (None) in all of the company."""

    role: Role
    community_id: UUID | None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff as administrators see one."""

    id: UUID
    login: str
    name: str
    state: StaffState
    has_totp: bool
    roles: tuple[HeldRole, ...]
    created_at: datetime


async def create(tx: Tx, actor: Actor, *, company_id: UUID, login: str, name: str, password_hash: str) -> UUID:
    """A new account without roles; Conflict `login_taken`. The hash is made outside the transaction."""
    staff_id = uuid7(tx.now)
    try:
        async with tx.savepoint():
            await tx.execute(INSERT, staff_id, company_id, login, name, password_hash, tx.now)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("这个登录名已被使用，请换一个。", code="login_taken") from error
    _audit(tx, actor, "staff.created", staff_id, company_id, after={"login": login, "name": name})
    return staff_id


async def rename(tx: Tx, actor: Actor, *, staff_id: UUID, company_id: UUID, name: str) -> None:
    """Change the shown name."""
    before = await _of_company(tx, staff_id, company_id)
    await tx.execute(SET_NAME, staff_id, name)
    _audit(tx, actor, "staff.renamed", staff_id, company_id, before={"name": before["name"]}, after={"name": name})


async def set_state(tx: Tx, actor: Actor, *, staff_id: UUID, company_id: UUID, state: StaffState) -> None:
    """Disable or enable an account other than one's own."""
    _not_oneself(actor, staff_id)
    before = await _of_company(tx, staff_id, company_id)
    if before["state"] == state:
        return
    await tx.execute(SET_STATE, staff_id, state)
    await sessions.revoke_of_staff(tx, staff_id)
    _audit(
        tx,
        actor,
        "staff.state_changed",
        staff_id,
        company_id,
        before={"state": before["state"]},
        after={"state": state},
    )


async def reset_password(tx: Tx, actor: Actor, *, staff_id: UUID, company_id: UUID, password_hash: str) -> None:
    """An administrator sets another's password and takes away the second factor, to be enrolled again."""
    _not_oneself(actor, staff_id)
    await _of_company(tx, staff_id, company_id)
    await tx.execute(SET_PASSWORD, staff_id, password_hash)
    await tx.execute(SET_TOTP, staff_id, None, 0)
    await sessions.revoke_of_staff(tx, staff_id)
    _audit(tx, actor, "staff.password_reset", staff_id, company_id)


async def change_password(tx: Tx, actor: Actor, *, staff_id: UUID, old_hash: str, new_hash: str) -> None:
    """Change one's own password; `old_hash` is the one that the old password was checked against.

    Ends every session. Unauthenticated where the password was changed in between.
    """
    row = await tx.fetchrow(LOCK, staff_id)
    if row is None or row["password_hash"] != old_hash:
        raise Unauthenticated("原密码不正确。", code="wrong_password")
    await tx.execute(SET_PASSWORD, staff_id, new_hash)
    await sessions.revoke_of_staff(tx, staff_id)
    _audit(tx, actor, "staff.password_changed", staff_id, row["company_id"])


async def offer_totp(tx: Tx, keyring: Keyring, *, staff_id: UUID, secret: str) -> str:
    """Keep a new second-factor secret until its first code confirms it; returns the account's login.

    Conflict `totp_exists` where one is enrolled: only an administrator's reset takes it away.
    """
    row = await tx.fetchrow(LOCK, staff_id)
    if row is None:
        raise NotFound
    if row["totp_secret_sealed"] is not None:
        raise Conflict("您已启用动态验证码；如需更换，请联系管理员重置。", code="totp_exists")
    await tx.execute(OFFER_TOTP, staff_id, keyring.seal(secret, Context("staff", "totp_pending_sealed", staff_id)))
    return str(row["login"])


async def confirm_totp(tx: Tx, keyring: Keyring, actor: Actor, *, staff_id: UUID, code: str) -> None:
    """Enrol the offered secret by its first code; every session ends, and the next login asks for the code."""
    row = await tx.fetchrow(LOCK, staff_id)
    if row is None or row["totp_pending_sealed"] is None:
        raise Conflict("请先获取动态验证码的密钥。", code="totp_not_offered")
    secret = keyring.open(bytes(row["totp_pending_sealed"]), Context("staff", "totp_pending_sealed", staff_id))
    step = passwords.verify_totp(secret, code, at=tx.now, last_step=row["totp_last_step"])
    if step is None:
        raise Invalid("动态验证码不正确，请检查手机时间后重试。", code="wrong_totp")
    await enrol_totp(tx, keyring, actor, staff_id=staff_id, secret=secret, last_step=step)


async def enrol_totp(
    tx: Tx, keyring: Keyring, actor: Actor, *, staff_id: UUID, secret: str, last_step: int = 0
) -> None:
    """Make `secret` the second factor of an account."""
    row = await tx.fetchrow(LOCK, staff_id)
    if row is None:
        raise NotFound
    sealed = keyring.seal(secret, Context("staff", "totp_secret_sealed", staff_id))
    await tx.execute(SET_TOTP, staff_id, sealed, last_step)
    await sessions.revoke_of_staff(tx, staff_id)
    _audit(tx, actor, "staff.totp_enrolled", staff_id, row["company_id"])


async def grant(
    tx: Tx, actor: Actor, *, staff_id: UUID, company_id: UUID, role: Role, community_id: UUID | None
) -> None:
    """Give a role in one community of the company, or in all of it; the member's sessions end.

    Raises NotFound for staff or communities of others, Conflict `role_held`, Forbidden `own_account`.
    """
    _not_oneself(actor, staff_id)
    await _of_company(tx, staff_id, company_id)
    if community_id is not None and await tx.fetchval(IS_OF_COMPANY, company_id, community_id) is None:
        raise NotFound
    if await tx.fetchval(GRANT, staff_id, role, community_id, actor.id, tx.now) is None:
        raise Conflict("该员工已有这个角色。", code="role_held")
    await sessions.revoke_of_staff(tx, staff_id)
    _audit(tx, actor, "staff.role_granted", staff_id, company_id, after=_role(role, community_id))


async def revoke(
    tx: Tx, actor: Actor, *, staff_id: UUID, company_id: UUID, role: Role, community_id: UUID | None
) -> None:
    """Take a role away; the member's sessions end. Raises NotFound where it is not held, Forbidden `own_account`."""
    _not_oneself(actor, staff_id)
    await _of_company(tx, staff_id, company_id)
    if await tx.fetchval(REVOKE, staff_id, role, community_id) is None:
        raise NotFound
    await sessions.revoke_of_staff(tx, staff_id)
    _audit(tx, actor, "staff.role_revoked", staff_id, company_id, before=_role(role, community_id))


async def members(db: Reader, company_id: UUID, *, after_login: str = "", limit: int = 20) -> list[Member]:
    """The company's staff by login."""
    return [_member(row) for row in await db.fetch(MEMBERS, company_id, None, after_login, limit)]


async def member(db: Reader, company_id: UUID, staff_id: UUID) -> Member:
    """One member of the company's staff; raises NotFound."""
    row = await db.fetchrow(MEMBERS, company_id, staff_id, "", 1)
    if row is None:
        raise NotFound
    return _member(row)


def _member(row: Record) -> Member:
    held = []
    for text in row["roles"]:
        role, _, community_id = text.partition(":")
        held.append(HeldRole(Role(role), UUID(community_id) if community_id else None))
    return Member(
        id=row["id"],
        login=row["login"],
        name=row["name"],
        state=StaffState(row["state"]),
        has_totp=row["has_totp"],
        roles=tuple(held),
        created_at=row["created_at"],
    )


def _not_oneself(actor: Actor, staff_id: UUID) -> None:
    if actor.id == staff_id:
        raise Forbidden("不能修改自己的账号权限，请由另一位管理员操作。", code="own_account")


async def _of_company(tx: Tx, staff_id: UUID, company_id: UUID) -> Record:
    row = await tx.fetchrow(LOCK, staff_id)
    if row is None or row["company_id"] != company_id:
        raise NotFound
    return row


def _role(role: Role, community_id: UUID | None) -> dict[str, str | None]:
    return {"role": role, "community_id": None if community_id is None else str(community_id)}


def _audit(
    tx: Tx,
    actor: Actor,
    action: str,
    staff_id: UUID,
    company_id: UUID,
    *,
    before: dict[str, str | None] | None = None,
    after: dict[str, str | None] | None = None,
) -> None:
    audit.record(
        tx, actor, action=action, target=f"staff:{staff_id}", community_id=company_id, before=before, after=after
    )
