"""Staff routes of identity: login, one's own account, the staff of the company, approvals, the audit (S2, S4)."""

from typing import Any, Protocol
from uuid import UUID

from backend.identity import approvals_admin, sessions, staff, staff_login
from backend.identity.roles import Role
from backend.identity.schemas import (
    ChangeMemberBody,
    ChangePasswordBody,
    CodeAnswer,
    LoginAnswer,
    LoginBody,
    MeAnswer,
    MemberAnswer,
    MembersAnswer,
    NewMemberBody,
    ResetPasswordBody,
    RoleHeld,
    TotpBody,
    TotpOffer,
)
from backend.kernel import passwords
from backend.kernel.audit import Actor
from backend.kernel.auth import PUBLIC, STAFF_SELF
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated, Unavailable
from backend.kernel.http import Call, Nothing, Page, Route, decode_cursor, encode_cursor
from backend.kernel.ratelimit import Rule

LOGIN_RATE = Rule("staff.login", count=30, period_s=60, strict=True)
ISSUER = "Linli"


class ChangeRole(Protocol):
    """`staff.grant` or `staff.revoke`."""

    async def __call__(
        self, tx: Tx, actor: Actor, *, staff_id: UUID, company_id: UUID, role: Role, community_id: UUID | None
    ) -> None: ...


async def log_in(call: Call[LoginBody, None]) -> LoginAnswer:
    body = call.body
    done = await staff_login.log_in(
        call.res, login=body.login, password=body.password, totp=body.totp, request_id=call.request_id
    )
    return LoginAnswer(token=done.token, expires_at=done.expires_at, second_factor=done.second_factor)


async def log_out(call: Call[None, None]) -> Nothing:
    session = call.principal.session or b""
    await call.res.db.transact(lambda tx: sessions.revoke(tx, session))
    return Nothing()


async def me(call: Call[None, None]) -> MeAnswer:
    who = call.principal
    member = await staff.member(call.res.db, *_self(call))
    return MeAnswer(
        member=MemberAnswer.of(member),
        company_id=_self(call)[0],
        second_factor=who.second_factor,
        permissions={permission: sorted(scopes) for permission, scopes in sorted(who.grants.items())},
    )


async def change_password(call: Call[ChangePasswordBody, None]) -> Nothing:
    _, staff_id = _self(call)
    stored: str = await call.res.db.fetchval("SELECT password_hash FROM staff WHERE id = $1", staff_id)
    if not await passwords.verify_password(stored, call.body.old_password):
        raise Unauthenticated("原密码不正确。", code="wrong_password")
    new_hash = await passwords.hash_password(call.body.new_password)
    await call.res.db.transact(
        lambda tx: staff.change_password(
            tx, call.principal.actor, staff_id=staff_id, old_hash=stored, new_hash=new_hash
        )
    )
    return Nothing()


async def offer_totp(call: Call[None, None]) -> TotpOffer:
    secret = passwords.new_totp_secret()
    _, staff_id = _self(call)
    login = await call.res.db.transact(
        lambda tx: staff.offer_totp(tx, call.res.keyring, staff_id=staff_id, secret=secret)
    )
    return TotpOffer(secret=secret, address=passwords.totp_address(secret, account=login, issuer=ISSUER))


async def confirm_totp(call: Call[TotpBody, None]) -> Nothing:
    _, staff_id = _self(call)
    await call.res.db.transact(
        lambda tx: staff.confirm_totp(
            tx, call.res.keyring, call.principal.actor, staff_id=staff_id, code=call.body.code
        )
    )
    return Nothing()


async def offer_wechat_code(call: Call[None, None]) -> CodeAnswer:
    company_id, staff_id = _self(call)
    code = await call.res.db.transact(
        lambda tx: staff_login.offer_wechat_code(tx, call.principal.actor, staff_id=staff_id, company_id=company_id)
    )
    return CodeAnswer(code=code.code, expires_at=code.expires_at)


async def list_staff(call: Call[None, Page]) -> MembersAnswer:
    after, limit = "", call.query.limit
    if call.query.cursor is not None:
        (after,) = decode_cursor(call.query.cursor, (str,))
    found = await staff.members(call.res.db, _company(call), after_login=after, limit=limit)
    return MembersAnswer(
        items=[MemberAnswer.of(member) for member in found],
        next_cursor=encode_cursor(found[-1].login) if len(found) == limit else None,
    )


async def show_staff(call: Call[None, None]) -> MemberAnswer:
    return MemberAnswer.of(await staff.member(call.res.db, _company(call), call.ids["staff_id"]))


async def add_staff(call: Call[NewMemberBody, None]) -> MemberAnswer:
    company_id, body = _company(call), call.body
    password_hash = await passwords.hash_password(body.password)

    async def work(tx: Tx) -> MemberAnswer:
        staff_id = await staff.create(
            tx, call.principal.actor, company_id=company_id, login=body.login, name=body.name,
            password_hash=password_hash,
        )  # fmt: skip
        return MemberAnswer.of(await staff.member(tx, company_id, staff_id))

    return await call.once(work, MemberAnswer)


async def change_staff(call: Call[ChangeMemberBody, None]) -> MemberAnswer:
    company_id, staff_id, actor = _company(call), call.ids["staff_id"], call.principal.actor

    async def work(tx: Tx) -> MemberAnswer:
        await staff.rename(tx, actor, staff_id=staff_id, company_id=company_id, name=call.body.name)
        await staff.set_state(tx, actor, staff_id=staff_id, company_id=company_id, state=call.body.state)
        return MemberAnswer.of(await staff.member(tx, company_id, staff_id))

    return await call.transact(work)


async def reset_password(call: Call[ResetPasswordBody, None]) -> Nothing:
    company_id = _company(call)
    password_hash = await passwords.hash_password(call.body.password)
    await call.res.db.transact(
        lambda tx: staff.reset_password(
            tx, call.principal.actor, staff_id=call.ids["staff_id"], company_id=company_id,
            password_hash=password_hash,
        )
    )  # fmt: skip
    return Nothing()


async def grant_role(call: Call[RoleHeld, None]) -> MemberAnswer:
    return await _change_role(call, staff.grant)


async def revoke_role(call: Call[RoleHeld, None]) -> MemberAnswer:
    return await _change_role(call, staff.revoke)


async def _change_role(call: Call[RoleHeld, None], change: ChangeRole) -> MemberAnswer:
    company_id, staff_id = _company(call), call.ids["staff_id"]

    async def work(tx: Tx) -> MemberAnswer:
        await change(
            tx, call.principal.actor, staff_id=staff_id, company_id=company_id, role=call.body.role,
            community_id=call.body.community_id,
        )  # fmt: skip
        return MemberAnswer.of(await staff.member(tx, company_id, staff_id))

    return await call.transact(work)


def _self(call: Call[Any, Any]) -> tuple[UUID, UUID]:
    """Company and id of the member of staff who asks."""
    if call.principal.company_id is None or call.principal.id is None:
        raise Forbidden
    return call.principal.company_id, call.principal.id


def _company(call: Call[Any, Any]) -> UUID:
    """The company whose staff the principal manages; NotFound for roles of single communities."""
    return call.principal.require_company("staff.manage")


_MANAGE = "staff.manage"

ROUTES: tuple[Route, ...] = (
    Route("POST", "/admin/v1/login", log_in, PUBLIC, "员工登录", body=LoginBody, answer=LoginAnswer, rate=LOGIN_RATE,
          errors=(Unauthenticated, TooMany, Unavailable)),
    Route("POST", "/admin/v1/logout", log_out, STAFF_SELF, "退出登录", answer=Nothing),
    Route("GET", "/admin/v1/me", me, STAFF_SELF, "我的账号与权限", answer=MeAnswer),
    Route("POST", "/admin/v1/me/password", change_password, STAFF_SELF, "修改密码，所有会话失效",
          body=ChangePasswordBody, answer=Nothing, rate=LOGIN_RATE, errors=(TooMany,)),
    Route("POST", "/admin/v1/me/totp", offer_totp, STAFF_SELF, "获取动态验证码密钥", answer=TotpOffer,
          errors=(Conflict,)),
    Route("POST", "/admin/v1/me/totp/confirm", confirm_totp, STAFF_SELF, "启用动态验证码，所有会话失效", body=TotpBody,
          answer=Nothing, rate=LOGIN_RATE, errors=(Conflict, Invalid, TooMany)),
    Route("POST", "/admin/v1/me/wechat-code", offer_wechat_code, STAFF_SELF, "获取绑定微信的一次性绑定码",
          answer=CodeAnswer),
    Route("GET", "/admin/v1/staff", list_staff, _MANAGE, "员工列表", query=Page, answer=MembersAnswer,
          errors=(NotFound,)),
    Route("POST", "/admin/v1/staff", add_staff, _MANAGE, "新增员工", body=NewMemberBody, answer=MemberAnswer,
          status=201, creates=True, errors=(Conflict, NotFound)),
    Route("GET", "/admin/v1/staff/{staff_id}", show_staff, _MANAGE, "员工详情", answer=MemberAnswer,
          errors=(NotFound,)),
    Route("PUT", "/admin/v1/staff/{staff_id}", change_staff, _MANAGE, "修改员工姓名与状态", body=ChangeMemberBody,
          answer=MemberAnswer, errors=(NotFound, Forbidden)),
    Route("POST", "/admin/v1/staff/{staff_id}/password", reset_password, _MANAGE, "重置密码与动态验证码",
          body=ResetPasswordBody, answer=Nothing, errors=(NotFound, Forbidden)),
    Route("POST", "/admin/v1/staff/{staff_id}/roles", grant_role, _MANAGE, "授予角色，该员工的会话失效", body=RoleHeld,
          answer=MemberAnswer, errors=(NotFound, Forbidden, Conflict)),
    Route("POST", "/admin/v1/staff/{staff_id}/roles/revoke", revoke_role, _MANAGE, "收回角色，该员工的会话失效",
          body=RoleHeld, answer=MemberAnswer, errors=(NotFound, Forbidden)),
    *approvals_admin.ROUTES,
)  # fmt: skip
