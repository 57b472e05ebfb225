"""Which role may do what (D12), as data: one line per permission. Deny by default: what has no line, nobody may.

`MONEY_ROLES` count only in a session with a second factor; without it they give `staff.self` alone.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from uuid import UUID

from backend.kernel.auth import STAFF_SELF


class Role(StrEnum):
    """Roles of staff (角色), each granted for one community or for all of the company."""

    ADMINISTRATOR = "administrator"
    MANAGER = "manager"
    CASHIER = "cashier"
    CUSTOMER_SERVICE = "customer_service"
    ENGINEER = "engineer"
    GUARD = "guard"
    READ_ONLY = "read_only"


A, M, C, S, E, G, R = Role
ALL = frozenset(Role)
MONEY_ROLES = frozenset({A, M, C})

PERMISSIONS: Mapping[str, frozenset[Role]] = {
    STAFF_SELF: ALL,
    # Identity: scope is the company's own id, which only company-wide roles hold.
    "company.manage": frozenset({A}),
    "staff.manage": frozenset({A}),
    "audit.read": frozenset({A, M}),
    "approval.read": frozenset({A, M, C, S}),
    # Property and who lives where.
    "property.read": ALL,
    "property.edit": frozenset({A, M}),
    "resident.read": frozenset({A, M, C, S, R}),
    "resident.reveal": frozenset({A, M, S}),
    "resident.edit": frozenset({A, M, S}),
    "house.bind": frozenset({A, M, S}),
    "pay_code.manage": frozenset({A, M, C, S}),
    "roster.import": frozenset({A, M}),
    "roster.export": frozenset({A, M}),
    "roster.release": frozenset({A, M}),
    # Devices: who registers one is shown its secret.
    "device.read": frozenset({A, M, E}),
    "device.manage": frozenset({A}),
    # What is uploaded is bound by the noun that it is for, whose permission says who may.
    "media.upload": frozenset({A, M, C, S, E, G}),
    # Parking: prices take a second person; `guard` is the console at the gate.
    "parking.read": ALL,
    "parking.edit": frozenset({A, M}),
    "parking.tariff_propose": frozenset({A, M}),
    "parking.tariff_approve": frozenset({A, M}),
    "parking.card": frozenset({A, M, S}),
    "parking.card_offer": frozenset({A, M, C, S}),
    "parking.space": frozenset({A, M, S}),
    "parking.stays": frozenset({A, M, S, G}),
    "parking.guard": frozenset({A, M, G}),
    "parking.shops": frozenset({A, M, C, S}),
    "parking.figures": frozenset({A, M, C, R}),
    # Tickets: `dispatch` is the desk, `work` has tickets in hand.
    "ticket.read": frozenset({A, M, S, E, R}),
    "ticket.dispatch": frozenset({A, M, S}),
    "ticket.work": frozenset({A, M, S, E}),
    "ticket.settings": frozenset({A, M}),
    "ticket.figures": frozenset({A, M, R}),
    # Who reported anonymously: an administrator asks to see it, a second person allows it.
    "ticket.reveal": frozenset({A}),
    "ticket.reveal_approve": frozenset({A, M}),
    # Paid repairs: `stock` keeps the parts; prices, counts, costs of public areas and waivers take a second person.
    "ticket.price_propose": frozenset({A, M}),
    "ticket.price_approve": frozenset({A, M}),
    "ticket.stock": frozenset({A, M, S}),
    "ticket.stock_approve": frozenset({A, M}),
    "ticket.cost_approve": frozenset({A, M}),
    "ticket.waive_propose": frozenset({A, M, S}),
    "ticket.waive_approve": frozenset({A, M}),
    # Visitors: `guard` is the console at the gate; long passes and goods take the property's approval.
    "visitor.read": frozenset({A, M, S, G, R}),
    "visitor.edit": frozenset({A, M}),
    "visitor.revoke": frozenset({A, M, S}),
    "visitor.ban": frozenset({A, M, S}),
    "visitor.approve": frozenset({A, M, S}),
    "visitor.guard": frozenset({A, M, S, G}),
    "visitor.conflicts": frozenset({A, M, S, G}),
    "visitor.keys": frozenset({A}),
    # Fees: items, runs, bills; prices and voids take a second person.
    "fees.read": frozenset({A, M, C, S, R}),
    "fees.edit": frozenset({A, M}),
    "fees.run": frozenset({A, M}),
    "fees.publish": frozenset({A, M}),
    "fees.price_propose": frozenset({A, M}),
    "fees.price_approve": frozenset({A, M}),
    "fees.void_propose": frozenset({A, M, C}),
    "fees.void_approve": frozenset({A, M}),
    "prepaid.open": frozenset({A, M, C, S}),
    "ledger.read": frozenset({A, M, C}),
    # Payments. Merchants need a role for all of the company.
    "merchant.read": frozenset({A, M, C}),
    "merchant.manage": frozenset({A}),
    "collection.read": frozenset({A, M, C, S}),
    "collection.pause": frozenset({A, M}),
    "payment.read": frozenset({A, M, C, S, R}),
    "payment.ask": frozenset({A, M, C}),
    "difference.read": frozenset({A, M, C}),
    "difference.resolve": frozenset({A, M, C}),
    "difference.write_off_propose": frozenset({A, M, C}),
    "difference.write_off_approve": frozenset({A, M}),
    # Reconciliation and the bank need a role for all of the company.
    "reconciliation.read": frozenset({A, M, C}),
    "reconciliation.run": frozenset({A, M, C}),
    "bank.import": frozenset({A, M, C}),
    # Refunds: who asks never approves; `request_more` lifts the limit of a day (D6).
    "refund.read": frozenset({A, M, C}),
    "refund.request": frozenset({A, M, C}),
    "refund.request_more": frozenset({A, M}),
    "refund.approve": frozenset({A, M}),
    "refund.ask": frozenset({A, M, C}),
    # The counter: shifts, takings, deposits; `manage` closes the shifts of others. Receipts.
    "counter.read": frozenset({A, M, C}),
    "counter.work": frozenset({A, M, C}),
    "counter.manage": frozenset({A, M}),
    "receipt.read": frozenset({A, M, C, S}),
    "receipt.issue": frozenset({A, M, C}),
    # Messages and parked jobs. Templates and quiet hours need a role for all of the company.
    "message_template.manage": frozenset({A}),
    "official_account.manage": frozenset({A}),
    "official_account.reply": frozenset({A, M, S}),
    "message_settings.manage": frozenset({A}),
    "message.read": frozenset({A, M, S}),
    "message.retry": frozenset({A, M, S}),
    # Notices: `publish` sends to people's phones, withdraws and reminds. What the status page says needs a role for all
    # of the company.
    "notice.read": frozenset({A, M, S, R}),
    "notice.write": frozenset({A, M, S}),
    "notice.publish": frozenset({A, M}),
    "outage.tell": frozenset({A}),
    "outbox.read": frozenset({A, M}),
    "outbox.retry": frozenset({A}),
}

_OF_ROLE: Mapping[Role, tuple[str, ...]] = {
    role: tuple(permission for permission, roles in PERMISSIONS.items() if role in roles) for role in Role
}


def grants(held: Iterable[tuple[Role, Iterable[UUID]]], *, second_factor: bool) -> Mapping[str, frozenset[UUID]]:
    """Permission → scopes, for roles held in scopes (community ids; the company's id for company-wide roles)."""
    found: dict[str, set[UUID]] = {STAFF_SELF: set()}
    for role, scopes in held:
        usable = second_factor or role not in MONEY_ROLES
        for permission in _OF_ROLE[role] if usable else (STAFF_SELF,):
            found.setdefault(permission, set()).update(scopes)
    return {permission: frozenset(scopes) for permission, scopes in found.items()}
