"""Principals: who asks, and over which houses or communities (design principle 7).

Authorisation is an argument: resident reads take a `HouseScope`, staff reads a list of communities. Foreign and unknown
ids raise the same `NotFound`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.errors import Forbidden, NotFound, Unauthenticated

PUBLIC = "public"
RESIDENT = "resident"
DEVICE = "device"
STAFF_SELF = "staff.self"

TieRole = Literal["owner", "family", "tenant"]


class Kind(StrEnum):
    """The kinds of principals."""

    ANONYMOUS = "anonymous"
    RESIDENT = "resident"
    STAFF = "staff"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that a device has signed, as it came: path with query, and what follows the scheme's name."""

    method: str
    target: str
    credentials: str
    body: bytes


@dataclass(slots=True)
class Nonce:
    """What lets a signed request be heard once, and whether it has been kept (`spent`)."""

    device_id: UUID
    text: str
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Tie:
    """A current tie of a person to a house (住户关系)."""

    house_id: UUID
    community_id: UUID
    role: TieRole


@dataclass(frozen=True, slots=True)
class HouseScope:
    """What a resident may read: all of `full`, of `tenant` only what names the person, own debts anywhere (I-23)."""

    person_id: UUID
    full: tuple[UUID, ...]
    owner: tuple[UUID, ...]
    tenant: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `id` is the person's, the staff member's or the device's id."""

    kind: Kind
    id: UUID | None = None
    session: bytes | None = None
    wechat_user_id: UUID | None = None
    ties: tuple[Tie, ...] = ()
    grants: Mapping[str, frozenset[UUID]] = field(default_factory=dict)
    second_factor: bool = False
    company_id: UUID | None = None
    request_id: str | None = None

    @property
    def actor(self) -> Actor:
        """The principal as it stands in the audit."""
        if self.kind is Kind.ANONYMOUS:
            return Actor("system", None, self.request_id)
        kinds: Mapping[Kind, Literal["resident", "staff", "device"]] = {
            Kind.RESIDENT: "resident",
            Kind.STAFF: "staff",
            Kind.DEVICE: "device",
        }
        return Actor(kinds[self.kind], self.id, self.request_id)

    @property
    def person_id(self) -> UUID:
        """The resident's person; raises Forbidden `phone_required` while no phone is bound."""
        if self.kind is not Kind.RESIDENT or self.id is None:
            raise Forbidden("请先绑定手机号。", code="phone_required")
        return self.id

    @property
    def scope(self) -> HouseScope:
        """The houses of the resident by right; raises like `person_id`."""
        return HouseScope(
            person_id=self.person_id,
            full=tuple(tie.house_id for tie in self.ties if tie.role != "tenant"),
            owner=tuple(tie.house_id for tie in self.ties if tie.role == "owner"),
            tenant=tuple(tie.house_id for tie in self.ties if tie.role == "tenant"),
        )

    @property
    def device_id(self) -> UUID:
        """The device; raises Forbidden for anybody else."""
        if self.kind is not Kind.DEVICE or self.id is None:
            raise Forbidden
        return self.id

    def tie(self, house_id: UUID) -> Tie:
        """The tie to `house_id`; NotFound where there is none, whether the house exists or not."""
        for tie in self.ties:
            if tie.house_id == house_id:
                return tie
        raise NotFound

    def communities(self, permission: str) -> tuple[UUID, ...]:
        """The communities in which a member of staff holds `permission`."""
        return tuple(sorted(self.grants.get(permission, frozenset())))

    def require_community(self, permission: str, community_id: UUID) -> None:
        """NotFound unless `permission` is held in the community; the company's own id is none."""
        if community_id == self.company_id:
            raise NotFound
        self.require_scope(permission, community_id)

    def require_company(self, permission: str) -> UUID:
        """The company, for who holds `permission` in all of it; NotFound for roles of single communities."""
        if self.company_id is None:
            raise NotFound
        self.require_scope(permission, self.company_id)
        return self.company_id

    def require_scope(self, permission: str, scope_id: UUID | None) -> None:
        """NotFound unless `permission` is held in this community or, by the company's id, in all of the company."""
        if scope_id not in self.grants.get(permission, frozenset()):
            raise NotFound

    def may(self, permission: str) -> None:
        """Refuse (401 or 403) unless this principal may use a route that declares `permission`."""
        if permission == PUBLIC:
            return
        if self.kind is Kind.ANONYMOUS:
            raise Unauthenticated
        allowed = {RESIDENT: self.kind is Kind.RESIDENT, DEVICE: self.kind is Kind.DEVICE}.get(
            permission, self.kind is Kind.STAFF and permission in self.grants
        )
        if not allowed:
            raise Forbidden


ANONYMOUS = Principal(Kind.ANONYMOUS)
