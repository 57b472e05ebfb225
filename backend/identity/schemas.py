"""Requests and answers of the staff's identity routes, field by field."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from backend.identity.roles import Role
from backend.identity.staff import Member, StaffState
from backend.kernel.http import Page, Strict, example

MIN_PASSWORD = 10
MAX_PASSWORD = 128
Password = Annotated[str, Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
Totp = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
_ID = "0198f2a0-0000-7000-8000-000000000001"
_AT = "2026-09-01T02:00:00Z"
_MEMBER = {
    "id": _ID, "login": "wangfang", "name": "王芳", "state": "ACTIVE", "has_totp": True,
    "roles": [{"role": "cashier", "community_id": None}], "created_at": _AT,
}  # fmt: skip


class LoginBody(Strict):
    model_config = example(login="wangfang", password="correct-horse-8", totp="123456")

    login: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=MAX_PASSWORD)
    totp: Totp | None = None


class LoginAnswer(Strict):
    model_config = example(token="s_Zm9v", expires_at=_AT, second_factor=True)

    token: str
    expires_at: datetime
    second_factor: bool = Field(description="false: roles that handle money give nothing in this session")


class RoleHeld(Strict):
    model_config = example(role="cashier", community_id=_ID)

    role: Role
    community_id: UUID | None = Field(None, description="null: all communities of the company")


class MemberAnswer(Strict):
    model_config = example(**_MEMBER)

    id: UUID
    login: str
    name: str
    state: StaffState
    has_totp: bool
    roles: list[RoleHeld]
    created_at: datetime

    @classmethod
    def of(cls, member: Member) -> "MemberAnswer":
        return cls(
            id=member.id,
            login=member.login,
            name=member.name,
            state=member.state,
            has_totp=member.has_totp,
            roles=[RoleHeld(role=held.role, community_id=held.community_id) for held in member.roles],
            created_at=member.created_at,
        )


class MembersAnswer(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[MemberAnswer]
    next_cursor: str | None


class MeAnswer(Strict):
    model_config = example(
        member=_MEMBER, company_id=_ID, second_factor=True, permissions={"property.read": [_ID]}
    )  # fmt: skip

    member: MemberAnswer
    company_id: UUID
    second_factor: bool
    permissions: dict[str, list[UUID]] = Field(description="permission → where it is held")


class NewMemberBody(Strict):
    model_config = example(login="wangfang", name="王芳", password="correct-horse-8")

    login: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{2,31}$")
    name: str = Field(min_length=1, max_length=50)
    password: Password


class ChangeMemberBody(Strict):
    model_config = example(name="王芳", state="ACTIVE")

    name: str = Field(min_length=1, max_length=50)
    state: StaffState


class ResetPasswordBody(Strict):
    model_config = example(password="correct-horse-8")

    password: Password


class ChangePasswordBody(Strict):
    model_config = example(old_password="correct-horse-8", new_password="battery-staple-9")

    old_password: str = Field(min_length=1, max_length=MAX_PASSWORD)
    new_password: Password


class TotpOffer(Strict):
    model_config = example(secret="JBSWY3DPEHPK3PXP", address="otpauth://totp/Linli:wangfang?secret=JBSWY3DPEHPK3PXP")

    secret: str
    address: str = Field(description="shown as a QR code for an authenticator app")


class TotpBody(Strict):
    model_config = example(code="123456")

    code: Totp


class CodeAnswer(Strict):
    model_config = example(code="K7QM2XRP", expires_at=_AT)

    code: str
    expires_at: datetime


class ApprovalsQuery(Page):
    model_config = example(state="PENDING", limit=20)

    state: str = Field("PENDING", pattern="^(PENDING|APPROVED|REJECTED|WITHDRAWN|EXPIRED|STALE)$")


class ApprovalAnswer(Strict):
    model_config = example(
        id=_ID, kind="house.binding", community_id=_ID, target=f"house:{_ID}", state="PENDING",
        before={}, after={"house": "1栋1单元101", "role": "owner"}, reason="新购房屋", proposed_by=_ID, proposed_at=_AT,
        expires_at=_AT, decided_by=None, decided_at=None, note=None, may_decide=True,
    )  # fmt: skip

    id: UUID
    kind: str
    community_id: UUID | None
    target: str
    state: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    expires_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    note: str | None
    may_decide: bool


class ApprovalsAnswer(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[ApprovalAnswer]
    next_cursor: str | None


class DecisionBody(Strict):
    model_config = example(approve=True, note="已核对房产证")

    approve: bool
    note: str = Field("", max_length=500)


class AuditQuery(Page):
    model_config = example(action="occupancy.ended", limit=20)

    action: str | None = Field(None, max_length=100)
    target: str | None = Field(None, max_length=200)
    actor_id: UUID | None = None


class AuditAnswer(Strict):
    model_config = example(
        id=1, at=_AT, actor_kind="staff", actor_id=_ID, action="occupancy.ended", target=f"occupancy:{_ID}",
        community_id=_ID, reason="租约到期", before=None, after=None, request_id=None,
    )  # fmt: skip

    id: int
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    action: str
    target: str
    community_id: UUID | None
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str | None


class AuditPage(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[AuditAnswer]
    next_cursor: str | None
