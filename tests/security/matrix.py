"""Who may do what, route by route, written by hand from domain D1 and D12. Data only; nothing here is read from routes.

A row: permission declared, status of success, cells, and whose rows come back. Cells, from left to right:

    nobody newcomer stranger former tenant family owner device | guard engineer service readonly cashier manager admin
    | neighbour rival unproven

`newcomer` has bound no phone, `stranger` owns another house, `former` has moved out. Staff up to `manager` work in
community A, `admin` in all of the company. `neighbour` is administrator of the company's other community alone, `rival`
of another company, `unproven` administrator of ours without a second factor. In a cell:

    Y  done, upon our rows       o  done, upon nobody's or the asker's own rows
    1  401                       3  403                       4  404, the answer that an unknown id gets

A reading route says what the answer mentions, of all that has a name in world.py, and not one thing more: `Y` for every
Y cell, and by principal where that differs (an o cell mentions nothing unless it is named). A writing route says
which tables have changed (`writes`); whose rows they are is checked against the sides of world.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

COLUMNS = (
    "nobody", "newcomer", "stranger", "former", "tenant", "family", "owner", "device",
    "guard", "engineer", "service", "readonly", "cashier", "manager", "admin",
    "neighbour", "rival", "unproven",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    permission: str
    status: int
    cells: Mapping[str, str]
    writes: frozenset[str]
    mentions: Mapping[str, frozenset[str]]


def row(permission: str, cells: str, *, status: int = 200, writes: str = "", Y: str = "", **own: str) -> Row:
    marks = cells.replace(" ", "")
    assert len(marks) == len(COLUMNS), cells
    by_name = dict(zip(COLUMNS, marks, strict=True))
    assert not own.keys() - {name for name, mark in by_name.items() if mark in "Yo"}, cells
    mentions = {name: own.get(name, Y if mark == "Y" else "") for name, mark in by_name.items()}
    return Row(
        permission=permission,
        status=status,
        cells=by_name,
        writes=frozenset(writes.split()),
        mentions={name: frozenset(text.split()) for name, text in mentions.items()},
    )


EVERYBODY = "oooooooo ooooooo ooo"
COMPANY_STAFF = (
    "staff_guard staff_engineer staff_service staff_readonly staff_cashier staff_manager staff_admin staff_neighbour "
    "staff_unproven staff_second staff_b_second"
)
HOUSE_BILLS = "bill debt held lease house item lease_item"
PLACE = "a building unit"
B_PLACE, C_PLACE = "b b_building b_unit", "c c_building c_unit"
BINDING, B_BINDING, C_BINDING = (
    "binding a house stranger", "b_binding b b_house c_person", "c_binding c c_house b_person"
)  # fmt: skip
PRICE, B_PRICE, C_PRICE = (
    "new_price a item staff_second", "b_new_price b b_item staff_b_second", "c_new_price c c_item staff_c_second"
)  # fmt: skip
DIFFERENCE = "difference a merchant"
ALL_REFUNDS = "refund order next_refund next_order a merchant"
ORDERS = "order owner next_order stranger a"
ATTEMPTS = "order next_order a merchant"

SYSTEM = {
    "GET /": row("public", EVERYBODY),
    "GET /healthz": row("public", EVERYBODY),
    "GET /readyz": row("public", EVERYBODY),
    "GET /metrics": row("public", EVERYBODY),
    "GET /status": row("public", EVERYBODY),
    "GET /openapi.json": row("public", EVERYBODY),
    "GET /docs": row("public", EVERYBODY),
    # The address itself is the key, for whoever holds it.
    "GET /files/{folder}/{name}": row("public", EVERYBODY),
    "GET /files/{folder}/{part}/{name}": row("public", EVERYBODY),
    # A login state opens nothing here: only the channel's signature does.
    "POST /pay/notify/wechat/{merchant_id}": row("public", "11111111 1111111 111", status=204),
    "POST /pay/notify/wechat/{merchant_id}/refund": row("public", "11111111 1111111 111", status=204),
    "POST /pay/notify/alipay/{merchant_id}": row("public", "11111111 1111111 111"),
}

# What WeChat itself signs opens these, and no login state does.
ACCOUNT = {
    "GET /wechat/{account}": row("public", "33333333 3333333 333"),
    "POST /wechat/{account}": row("public", "33333333 3333333 333"),
    "GET /api/v1/official-account": row("resident", "13ooooo3 3333333 333"),
    "POST /api/v1/official-account/code": row(
        "resident", "13YYYYY3 3333333 333", status=201, writes="account_code idempotency"
    ),
    "GET /admin/v1/wechat-apps": row("official_account.manage", "13333333 333333Y 4o3"),
    "PUT /admin/v1/wechat-apps/{appid}": row(
        "official_account.manage", "13333333 333333Y 4o3", writes="wechat_app audit_entry"
    ),
    "PUT /admin/v1/wechat-apps/{appid}/push-settings": row(
        "official_account.manage", "13333333 333333Y 443", writes="wechat_app audit_entry"
    ),
    "GET /admin/v1/wechat-apps/{appid}/menu": row("official_account.manage", "13333333 333333Y 443"),
    "PUT /admin/v1/wechat-apps/{appid}/menu": row(
        "official_account.manage", "13333333 333333Y 443", writes="wechat_menu audit_entry"
    ),
    "POST /admin/v1/wechat-apps/{appid}/menu/push": row(
        "official_account.manage", "13333333 333333Y 443", writes="wechat_menu audit_entry"
    ),
    "GET /admin/v1/wechat-apps/{appid}/replies": row("official_account.reply", "13333333 334334Y 443"),
    "POST /admin/v1/wechat-apps/{appid}/replies": row(
        "official_account.reply", "13333333 334334Y 443", status=201, writes="wechat_reply audit_entry idempotency"
    ),
    "PUT /admin/v1/wechat-apps/{appid}/replies/{reply_id}": row(
        "official_account.reply", "13333333 334334Y 443", writes="wechat_reply audit_entry"
    ),
    "DELETE /admin/v1/wechat-apps/{appid}/replies/{reply_id}": row(
        "official_account.reply", "13333333 334334Y 443", writes="wechat_reply audit_entry"
    ),
}

RESIDENTS = {
    "POST /api/v1/login": row("public", EVERYBODY, writes="wechat_user session"),
    "POST /api/v1/logout": row("resident", "1YYYYYY3 3333333 333", writes="session"),
    "POST /api/v1/phone": row("resident", "1YYYYYY3 3333333 333", writes="person wechat_user audit_entry"),
    "POST /api/v1/staff-binding": row(
        "resident", "1YYYYYY3 3333333 333", writes="staff_wechat_code wechat_user audit_entry"
    ),
    "GET /api/v1/me": row(
        "resident", "1oooYYY3 3333333 333",
        stranger="stranger next_house a stranger_consent", former="former", tenant="tenant house a",
        family="family house a", owner="owner house a owner_consent",
    ),
    "PUT /api/v1/me/name": row("resident", "13YYYYY3 3333333 333", writes="person audit_entry"),
    "GET /api/v1/consents": row(
        "resident", "13ooooY3 3333333 333", stranger="stranger_consent", owner="owner_consent"
    ),
    "POST /api/v1/consents": row("resident", "13YYYYY3 3333333 333", writes="personal_consent audit_entry"),
    "DELETE /api/v1/consents/{purpose}": row("resident", "13YYYYY3 3333333 333", writes="personal_consent audit_entry"),
    "GET /api/v1/houses": row("resident", "1oooYYY3 3333333 333", Y="house a", stranger="next_house a"),
    "GET /api/v1/houses/{house_id}/members": row(
        "resident", "144433Y3 3333333 333", Y="owner_tie family_tie tenant_tie"
    ),
    "POST /api/v1/houses/{house_id}/family-codes": row(
        "resident", "144433Y3 3333333 333", status=201, writes="family_code audit_entry"
    ),
    "POST /api/v1/houses/join": row(
        "resident", "13YYYYY3 3333333 333", writes="family_code occupancy audit_entry idempotency"
    ),
    "DELETE /api/v1/houses/{house_id}/members/{occupancy_id}": row(
        "resident", "144433Y3 3333333 333", writes="occupancy audit_entry outbox"
    ),
    "DELETE /api/v1/houses/{house_id}/members/{occupancy_id} #another owner": row(
        "resident", "14443333 3333333 333", writes="occupancy audit_entry outbox"
    ),
    "DELETE /api/v1/houses/{house_id}/members/{occupancy_id} #of another house": row(
        "resident", "14443343 3333333 333", writes="occupancy audit_entry outbox"
    ),
    "POST /api/v1/houses/{house_id}/media": row(
        "resident", "1444YYY3 3333333 333", status=201, writes="media idempotency"
    ),
    "GET /api/v1/communities": row("resident", "1YYYYYY3 3333333 333", Y="a b c"),
    "GET /api/v1/applications": row(
        "resident", "13ooooo3 3333333 333", stranger="binding"
    ),
    "POST /api/v1/applications": row(
        "resident", "13YYYYY3 3333333 333", status=201, writes="approval audit_entry idempotency"
    ),
    "GET /api/v1/bills": row(
        "resident", "13oooYY3 3333333 333", Y=HOUSE_BILLS,
        stranger="next_bill next_house item", former="debt house item", tenant="lease house lease_item",
    ),
    "GET /api/v1/bills/{bill_id}": row("resident", "13444YY3 3333333 333", Y="bill house item"),
    "GET /api/v1/bills/{bill_id} #naming the tenant": row(
        "resident", "1344YYY3 3333333 333", Y="lease house lease_item"
    ),
    "GET /api/v1/bills/{bill_id} #own debt of who moved out": row(
        "resident", "134Y4YY3 3333333 333", Y="debt house item"
    ),
    "GET /api/v1/bills/{bill_id} #draft": row("resident", "13444443 3333333 333"),
    "GET /api/v1/bills/{bill_id}/explanation": row("resident", "13444YY3 3333333 333", Y="bill"),
    "GET /api/v1/bills/{bill_id}/explanation #naming the tenant": row("resident", "1344YYY3 3333333 333", Y="lease"),
    "GET /api/v1/bills/{bill_id}/explanation #own debt of who moved out": row(
        "resident", "134Y4YY3 3333333 333", Y="debt"
    ),
    "GET /api/v1/bills/{bill_id}/explanation #draft": row("resident", "13444443 3333333 333"),
    "POST /api/v1/payments": row(
        "resident", "13444YY3 3333333 333", status=201,
        writes="payment_order payment_line payment_hold payment_attempt audit_entry idempotency",
    ),
    "POST /api/v1/payments #naming the tenant": row(
        "resident", "1344YYY3 3333333 333", status=201,
        writes="payment_order payment_line payment_hold payment_attempt audit_entry idempotency",
    ),
    "POST /api/v1/payments #own debt of who moved out": row(
        "resident", "134Y4YY3 3333333 333", status=201,
        writes="payment_order payment_line payment_hold payment_attempt audit_entry idempotency",
    ),
    "POST /api/v1/payments #draft": row("resident", "13444443 3333333 333", status=201),
    "GET /api/v1/payments": row("resident", "13ooooY3 3333333 333", stranger="next_order", owner="order"),
    "GET /api/v1/payments/{payment_id}": row("resident", "134444Y3 3333333 333", Y="order held"),
    "GET /api/v1/payment-ways": row("resident", "13444YY3 3333333 333"),
    "GET /api/v1/payment-ways #naming the tenant": row("resident", "1344YYY3 3333333 333"),
    "POST /api/v1/payments/{payment_id}/cancel": row(
        "resident", "134444Y3 3333333 333", writes="payment_order payment_attempt payment_hold audit_entry"
    ),
    "GET /api/v1/messages": row(
        "resident", "13ooooY3 3333333 333", stranger="stranger_letter", owner="owner_letter"
    ),
    "POST /api/v1/messages/{message_id}/read": row("resident", "134444Y3 3333333 333", writes="inbox_message"),
    "GET /api/v1/subscriptions": row("resident", "13YYYYY3 3333333 333", Y="template"),
    "POST /api/v1/subscriptions": row(
        "resident", "13YYYYY3 3333333 333", writes="message_consent message_consent_event idempotency"
    ),
}  # fmt: skip

PREPAID = {
    "GET /api/v1/prepaid": row(
        "resident", "13YooYY3 3333333 333", Y="prepaid house", stranger="next_prepaid next_house"
    ),
    "GET /api/v1/prepaid/{account_id}/entries": row("resident", "13444YY3 3333333 333", Y="prepaid house"),
    "POST /api/v1/prepaid/top-ups": row(
        "resident", "13444YY3 3333333 333", status=201,
        writes="prepaid_account payment_order payment_line payment_hold payment_attempt audit_entry idempotency",
    ),
    "GET /admin/v1/prepaid-accounts": row("fees.read", "13333333 33YYYYY oo3", Y="prepaid house"),
    "POST /admin/v1/prepaid-accounts": row(
        "prepaid.open", "13333333 33Y3YYY 443", status=201, writes="prepaid_account audit_entry idempotency"
    ),
    "GET /admin/v1/prepaid-accounts/{account_id}/entries": row(
        "fees.read", "13333333 33YYYYY 443", Y="prepaid house"
    ),
    "POST /admin/v1/bills/{bill_id}/prepaid-return": row(
        "fees.void_propose", "13333333 3333YYY 443", status=202, writes="approval audit_entry idempotency"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #prepaid return": row(
        "staff.self", "13333333 44444YY 444", writes="approval bill posting prepaid_use audit_entry"
    ),
    # Whoever holds the code may pay; the page names items, which its forms send back, and nothing else.
    "GET /p/{pay_code}": row("public", "YYYYYYYY YYYYYYY YYY", Y="item lease_item"),
    "GET /p/{pay_code}/wechat": row("public", "33333333 3333333 333"),
    "POST /p/{pay_code}/orders": row(
        "public", "YYYYYYYY YYYYYYY YYY",
        writes="payment_order payment_line payment_hold payment_attempt audit_entry",
    ),
    "GET /admin/v1/houses/{house_id}/pay-code": row("pay_code.manage", "13333333 33Y3YYY 443", Y="house"),
    "GET /admin/v1/houses/{house_id}/pay-code.svg": row("pay_code.manage", "13333333 33Y3YYY 443"),
    "POST /admin/v1/houses/{house_id}/pay-code": row(
        "pay_code.manage", "13333333 33Y3YYY 443", writes="house audit_entry idempotency"
    ),
    "GET /admin/v1/communities/{community_id}/pay-code-sheet": row("pay_code.manage", "13333333 33Y3YYY 443"),
}  # fmt: skip

OWN_ACCOUNT = {
    "POST /admin/v1/login": row("public", EVERYBODY, writes="login_guard session audit_entry"),
    "POST /admin/v1/logout": row("staff.self", "13333333 YYYYYYY YYY", writes="session"),
    "GET /admin/v1/me": row(
        "staff.self", "13333333 YYYYYYY ooY",
        guard="staff_guard company a", engineer="staff_engineer company a", service="staff_service company a",
        readonly="staff_readonly company a", cashier="staff_cashier company a", manager="staff_manager company a",
        admin="staff_admin company a b", neighbour="staff_neighbour company b", rival="staff_rival c_company c",
        unproven="staff_unproven company a b",
    ),
    "POST /admin/v1/me/password": row("staff.self", "13333333 YYYYYYY YYY", writes="staff session audit_entry"),
    "POST /admin/v1/me/totp": row("staff.self", "13333333 YYYYYYY YYY", writes="staff"),
    "POST /admin/v1/me/totp/confirm": row("staff.self", "13333333 YYYYYYY YYY", writes="staff session audit_entry"),
    "POST /admin/v1/me/wechat-code": row("staff.self", "13333333 YYYYYYY YYY", writes="staff_wechat_code audit_entry"),
    "GET /admin/v1/approvals": row(
        "staff.self", "13333333 ooYooYY ooo",
        service=BINDING, manager=f"{BINDING} {PRICE}", admin=f"{BINDING} {PRICE} {B_BINDING} {B_PRICE}",
        neighbour=f"{B_BINDING} {B_PRICE}", rival=f"{C_BINDING} {C_PRICE}",
    ),
    "POST /admin/v1/approvals/{approval_id}/decision": row(
        "staff.self", "13333333 44Y44YY 444", writes="approval occupancy audit_entry"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #price": row(
        "staff.self", "13333333 44444YY 444", writes="approval price_version audit_entry"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #void": row(
        "staff.self", "13333333 44444YY 444", writes="approval bill posting audit_entry"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #merchant keys": row(
        "staff.self", "13333333 444444Y 444", writes="approval merchant audit_entry"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #export": row(
        "staff.self", "13333333 44444YY 444", writes="approval roster_export outbox audit_entry"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #own proposal": row("staff.self", "13333333 44444 33 444"),
    "POST /admin/v1/approvals/{approval_id}/withdraw": row("staff.self", "13333333 4444444 444"),
    "POST /admin/v1/approvals/{approval_id}/withdraw #own proposal": row(
        "staff.self", "13333333 YYYYYYY YYY", writes="approval audit_entry"
    ),
    "GET /admin/v1/audit": row(
        "audit.read", "13333333 33333YY oo3",
        Y="audited a", admin="audited a b_audited b", neighbour="b_audited b", rival="c_audited c",
    ),
}  # fmt: skip

STAFF = {
    "GET /admin/v1/staff": row(
        "staff.manage", "13333333 333333Y 4o3", Y=f"{COMPANY_STAFF} a b", rival="staff_rival staff_c_second c"
    ),
    "POST /admin/v1/staff": row(
        "staff.manage", "13333333 333333Y 4o3", status=201, writes="staff audit_entry idempotency"
    ),
    "GET /admin/v1/staff/{staff_id}": row("staff.manage", "13333333 333333Y 443", Y="staff_engineer a"),
    "PUT /admin/v1/staff/{staff_id}": row("staff.manage", "13333333 333333Y 443", writes="staff session audit_entry"),
    "POST /admin/v1/staff/{staff_id}/password": row(
        "staff.manage", "13333333 333333Y 443", writes="staff session audit_entry"
    ),
    "POST /admin/v1/staff/{staff_id}/roles": row(
        "staff.manage", "13333333 333333Y 443", writes="staff_role session audit_entry"
    ),
    "POST /admin/v1/staff/{staff_id}/roles/revoke": row(
        "staff.manage", "13333333 333333Y 443", writes="staff_role session audit_entry"
    ),
}

PROPERTY = {
    "GET /admin/v1/company": row("property.read", "13333333 YYYYYYY Yo3", Y="company", rival="c_company"),
    "PUT /admin/v1/company": row("company.manage", "13333333 333333Y 4o3", writes="company audit_entry"),
    "GET /admin/v1/calendar": row("property.read", "13333333 YYYYYYY Yo3"),
    "PUT /admin/v1/calendar": row("company.manage", "13333333 333333Y 4o3", writes="calendar_year audit_entry"),
    "GET /admin/v1/communities": row(
        "property.read", "13333333 YYYYYYY oo3", Y="a", admin="a b", neighbour="b", rival="c"
    ),
    "POST /admin/v1/communities": row(
        "company.manage", "13333333 333333Y 4o3", status=201, writes="community audit_entry idempotency"
    ),
    "PUT /admin/v1/communities/{community_id}": row(
        "property.edit", "13333333 33333YY 443", writes="community audit_entry"
    ),
    "GET /admin/v1/communities/{community_id}/buildings": row(
        "property.read", "13333333 YYYYYYY 443", Y="a building"
    ),
    "POST /admin/v1/communities/{community_id}/buildings": row(
        "property.edit", "13333333 33333YY 443", status=201, writes="building unit audit_entry idempotency"
    ),
    "PUT /admin/v1/buildings/{building_id}": row(
        "property.edit", "13333333 33333YY 443", writes="building audit_entry"
    ),
    "GET /admin/v1/buildings/{building_id}/units": row("property.read", "13333333 YYYYYYY 443", Y="building unit"),
    "POST /admin/v1/buildings/{building_id}/units": row(
        "property.edit", "13333333 33333YY 443", status=201, writes="unit audit_entry idempotency"
    ),
    "GET /admin/v1/communities/{community_id}/houses": row(
        "property.read", "13333333 YYYYYYY 443", Y=f"house next_house {PLACE}"
    ),
    "POST /admin/v1/communities/{community_id}/houses": row(
        "property.edit", "13333333 33333YY 443", status=201, writes="house audit_entry idempotency"
    ),
    "GET /admin/v1/houses": row(
        "property.read", "13333333 YYYYYYY oo3", Y=f"house {PLACE}", admin=f"house {PLACE} b_house {B_PLACE}",
        neighbour=f"b_house {B_PLACE}", rival=f"c_house {C_PLACE}",
    ),
    "GET /admin/v1/houses/{house_id}": row("property.read", "13333333 YYYYYYY 443", Y=f"house {PLACE}"),
    "PUT /admin/v1/houses/{house_id}": row("property.edit", "13333333 33333YY 443", writes="house audit_entry"),
}  # fmt: skip

ROSTER = {
    "GET /admin/v1/roster-template": row("roster.import", "13333333 33333YY oo3"),
    "POST /admin/v1/communities/{community_id}/media": row(
        "media.upload", "13333333 YYY3YYY 443", status=201, writes="media idempotency"
    ),
    "POST /admin/v1/communities/{community_id}/roster-imports": row(
        "roster.import", "13333333 33333YY 443", status=202, writes="roster_import outbox"
    ),
    "GET /admin/v1/communities/{community_id}/roster-imports": row(
        "roster.import", "13333333 33333YY 443", Y="import a staff_second"
    ),
    "GET /admin/v1/roster-imports/{import_id}": row("roster.import", "13333333 33333YY 443", Y="import a staff_second"),
    "GET /admin/v1/roster-imports/{import_id}/errors": row("roster.import", "13333333 33333YY 443"),
    "POST /admin/v1/roster-imports/{import_id}/confirm": row(
        "roster.import", "13333333 33333YY 443", status=202, writes="roster_import outbox audit_entry"
    ),
    "POST /admin/v1/roster-imports/{import_id}/cancel": row(
        "roster.import", "13333333 33333YY 443", writes="roster_import audit_entry"
    ),
    "POST /admin/v1/communities/{community_id}/roster-exports": row(
        "roster.export", "13333333 33333YY 443", status=201, writes="approval audit_entry idempotency"
    ),
    "GET /admin/v1/communities/{community_id}/roster-exports": row(
        "roster.export", "13333333 33333YY 443", Y="export a staff_second"
    ),
    "GET /admin/v1/roster-exports/{export_id}/file": row("roster.export", "13333333 33333YY 443", writes="audit_entry"),
    "GET /admin/v1/roster-exports/{export_id}/file #of somebody else": row("roster.export", "13333333 3333344 443"),
    "GET /admin/v1/houses/{house_id}/residents": row(
        "resident.read", "13333333 33YYYYY 443", Y="owner owner_tie family family_tie tenant tenant_tie house"
    ),
    "GET /admin/v1/houses/{house_id}/residents #with former": row(
        "resident.read",
        "13333333 33YYYYY 443",
        Y="owner owner_tie family family_tie tenant tenant_tie former former_tie house",
    ),
    "POST /admin/v1/houses/{house_id}/residents": row(
        "resident.edit", "13333333 33Y33YY 443", status=201, writes="person approval audit_entry idempotency"
    ),
    "GET /admin/v1/residents": row("resident.read", "13333333 33YYYYY oo3", Y="owner owner_tie house"),
    "GET /admin/v1/residents #of the other community": row(
        "resident.read", "13333333 33ooooY Yo3", Y="b_person b_person_tie b_house"
    ),
    "GET /admin/v1/residents #who moved out": row("resident.read", "13333333 33ooooo oo3"),
    "POST /admin/v1/occupancies/{occupancy_id}/end": row(
        "resident.edit", "13333333 33Y33YY 443", writes="occupancy audit_entry outbox"
    ),
    "POST /admin/v1/communities/{community_id}/people/{person_id}/reveal": row(
        "resident.reveal", "13333333 33Y33YY 443", writes="audit_entry"
    ),
    "POST /admin/v1/communities/{community_id}/people/{person_id}/reveal #of the other community": row(
        "resident.reveal", "13333333 33433 44 443"
    ),
}

FEES = {
    "GET /admin/v1/fee-items": row(
        "fees.read", "13333333 33YYYYY oo3", Y="item lease_item draft_item a",
        admin="item lease_item draft_item a b_item b", neighbour="b_item b", rival="c_item c",
    ),
    "POST /admin/v1/fee-items": row(
        "fees.edit", "13333333 33333YY 443", status=201, writes="fee_item audit_entry idempotency"
    ),
    "GET /admin/v1/fee-items/{item_id}": row("fees.read", "13333333 33YYYYY 443", Y="item a"),
    "PATCH /admin/v1/fee-items/{item_id}": row("fees.edit", "13333333 33333YY 443", writes="fee_item audit_entry"),
    "POST /admin/v1/fee-items/{item_id}/close": row("fees.edit", "13333333 33333YY 443", writes="fee_item audit_entry"),
    "GET /admin/v1/fee-items/{item_id}/prices": row("fees.read", "13333333 33YYYYY 443", Y="price"),
    "POST /admin/v1/fee-items/{item_id}/prices": row(
        "fees.price_propose", "13333333 33333YY 443", status=202, writes="approval audit_entry idempotency"
    ),
    "GET /admin/v1/fee-items/{item_id}/exclusions": row("fees.read", "13333333 33YYYYY 443", Y="next_house"),
    "POST /admin/v1/fee-items/{item_id}/exclusions": row(
        "fees.edit", "13333333 33333YY 443", status=201, writes="billing_exclusion audit_entry idempotency"
    ),
    "DELETE /admin/v1/fee-items/{item_id}/exclusions/{house_id}": row(
        "fees.edit", "13333333 33333YY 443", writes="billing_exclusion audit_entry"
    ),
    "GET /admin/v1/trial-balance": row("ledger.read", "13333333 3333YYY 443", Y="a"),
    "POST /admin/v1/billing-runs": row(
        "fees.run", "13333333 33333YY 443", status=201, writes="billing_run outbox audit_entry idempotency"
    ),
    "GET /admin/v1/billing-runs": row(
        "fees.read", "13333333 33YYYYY oo3",
        Y="run debt_run held_run lease_run draft_run item lease_item draft_item a house",
        admin="run debt_run held_run lease_run draft_run item lease_item draft_item a house b_run b_item b",
        neighbour="b_run b_item b", rival="c_run c_item c",
    ),
    "GET /admin/v1/billing-runs/{run_id}": row("fees.read", "13333333 33YYYYY 443", Y="draft_run draft_item a"),
    "GET /admin/v1/billing-runs/{run_id}/bills": row("fees.read", "13333333 33YYYYY 443", Y="draft_bill house"),
    "POST /admin/v1/billing-runs/{run_id}/publish": row(
        "fees.publish", "13333333 33333YY 443", writes="billing_run posting account outbox audit_entry"
    ),
    "POST /admin/v1/billing-runs/{run_id}/cancel": row(
        "fees.run", "13333333 33333YY 443", writes="billing_run outbox audit_entry"
    ),
    "GET /admin/v1/bills": row("fees.read", "13333333 33YYYYY oo3", Y=HOUSE_BILLS),
    "GET /admin/v1/bills/{bill_id}": row("fees.read", "13333333 33YYYYY 443", Y="bill house item"),
    "GET /admin/v1/bills/{bill_id} #draft": row("fees.read", "13333333 3344444 443"),
    "GET /admin/v1/bills/{bill_id}/explanation": row("fees.read", "13333333 33YYYYY 443", Y="bill"),
    "POST /admin/v1/bills/{bill_id}/void": row(
        "fees.void_propose", "13333333 3333YYY 443", status=202, writes="approval audit_entry idempotency"
    ),
}  # fmt: skip

MESSAGES = {
    "GET /admin/v1/message-templates": row(
        "message_template.manage", "13333333 333333Y 4o3", Y="template", rival="c_template"
    ),
    "PUT /admin/v1/message-templates": row(
        "message_template.manage", "13333333 333333Y 443", Y="", writes="message_template audit_entry"
    ),
    "GET /admin/v1/message-apps/{appid}/templates": row(
        "message_template.manage", "13333333 333333Y 443", Y="template"
    ),
    "POST /admin/v1/message-templates/check": row(
        "message_template.manage", "13333333 333333Y 4o3", writes="message_template"
    ),
    "POST /admin/v1/message-templates/{template_id}/test": row(
        "message_template.manage", "13333333 333333Y 443", writes="send_quota audit_entry"
    ),
    "GET /admin/v1/quiet-hours": row("message_settings.manage", "13333333 333333Y 4o3"),
    "PUT /admin/v1/quiet-hours": row(
        "message_settings.manage", "13333333 333333Y 443", writes="message_quiet_hours audit_entry"
    ),
    "GET /admin/v1/communities/{community_id}/message-figures": row("message.read", "13333333 33Y33YY 443"),
    "GET /admin/v1/messages/parked": row(
        "message.read", "13333333 33Y33YY oo3", Y="parked_message a", admin="parked_message a b_parked_message b",
        neighbour="b_parked_message b", rival="c_parked_message c",
    ),
    "POST /admin/v1/communities/{community_id}/messages/retry": row(
        "message.retry", "13333333 33Y33YY 443", writes="message_intent outbox audit_entry"
    ),
    "GET /admin/v1/outbox/parked": row(
        "outbox.read", "13333333 33333YY oo3", Y="parked_job a", admin="parked_job a b_parked_job b",
        neighbour="b_parked_job b", rival="c_parked_job c",
    ),
    "POST /admin/v1/outbox/{number}/retry": row(
        "outbox.retry", "13333333 333333Y 443", writes="outbox audit_entry"
    ),
}  # fmt: skip

PAYMENTS = {
    "GET /admin/v1/merchants": row("merchant.read", "13333333 333344Y 4o3", Y="merchant", rival="c_merchant"),
    "POST /admin/v1/merchants": row(
        "merchant.manage", "13333333 333333Y 443", status=201, writes="merchant audit_entry idempotency"
    ),
    "GET /admin/v1/merchants/{merchant_id}": row("merchant.read", "13333333 333344Y 443", Y="merchant"),
    "POST /admin/v1/merchants/{merchant_id}/keys": row(
        "merchant.manage", "13333333 333333Y 443", status=201, writes="approval audit_entry idempotency"
    ),
    "POST /admin/v1/merchants/{merchant_id}/pause": row(
        "merchant.manage", "13333333 333333Y 443", writes="merchant audit_entry"
    ),
    "POST /admin/v1/merchants/{merchant_id}/resume": row(
        "merchant.manage", "13333333 333333Y 443", writes="merchant audit_entry"
    ),
    "POST /admin/v1/merchants/{merchant_id}/retire": row(
        "merchant.manage", "13333333 333333Y 443", writes="merchant audit_entry"
    ),
    "GET /admin/v1/collection/pauses": row("collection.read", "13333333 33o3ooo oo3"),
    "POST /admin/v1/collection/pause": row(
        "collection.pause", "13333333 33333YY 443", writes="collection_pause audit_entry"
    ),
    "POST /admin/v1/collection/resume": row(
        "collection.pause", "13333333 33333YY 443", writes="collection_pause audit_entry"
    ),
    "GET /admin/v1/payment-attempts": row(
        "payment.read", "13333333 33YYYYY oo3", Y=ATTEMPTS, admin=f"{ATTEMPTS} b_order b",
        neighbour="b_order b merchant", rival="c_order c c_merchant",
    ),
    "GET /admin/v1/orders": row(
        "payment.read", "13333333 33YYYYY oo3", Y=ORDERS, admin=f"{ORDERS} b_order b_person b",
        neighbour="b_order b_person b", rival="c_order c_person c",
    ),
    "GET /admin/v1/orders/{order_id}": row(
        "payment.read", "13333333 33YYYYY 443", Y="order owner a held house merchant"
    ),
    "POST /admin/v1/orders/{order_id}/ask": row(
        "payment.ask", "13333333 3333YYY 443", writes="payment_attempt"
    ),
    "GET /admin/v1/differences": row(
        "difference.read", "13333333 3333YYY oo3", Y=DIFFERENCE, admin=f"{DIFFERENCE} b_difference b",
        neighbour="b_difference b merchant", rival="c_difference c c_merchant",
    ),
    "GET /admin/v1/differences/{difference_id}": row("difference.read", "13333333 3333YYY 443", Y=DIFFERENCE),
    "POST /admin/v1/differences/{difference_id}/resolve": row(
        "difference.resolve", "13333333 3333YYY 443", writes="difference audit_entry"
    ),
}  # fmt: skip

SHIFT, B_SHIFT, C_SHIFT = "shift a staff_second", "b_shift b staff_b_second", "c_shift c staff_c_second"
RECEIPTS = "receipt next_receipt order next_order a"
OPEN_BILLS = "bill debt held lease house"

COUNTER = {
    "POST /admin/v1/counter/shifts": row(
        "counter.work", "13333333 3333YYY 443", status=201, writes="cashier_shift audit_entry idempotency"
    ),
    "GET /admin/v1/counter/shifts": row(
        "counter.read", "13333333 3333YYY oo3", Y=SHIFT, admin=f"{SHIFT} {B_SHIFT}", neighbour=B_SHIFT, rival=C_SHIFT
    ),
    "GET /admin/v1/counter/shifts/{shift_id}": row("counter.read", "13333333 3333YYY 443", Y=SHIFT),
    "GET /admin/v1/counter/shifts/{shift_id}/paper": row("counter.read", "13333333 3333YYY 443"),
    "GET /admin/v1/counter/shifts/{shift_id}/vouchers": row("counter.read", "13333333 3333YYY 443", Y="shift order"),
    "POST /admin/v1/counter/shifts/{shift_id}/close": row(
        "counter.work", "13333333 3333YYY 443", writes="cashier_shift audit_entry"
    ),
    "POST /admin/v1/counter/shifts/{shift_id}/close #of somebody else": row(
        "counter.work", "13333333 33334YY 443", writes="cashier_shift audit_entry"
    ),
    "GET /admin/v1/counter/due": row("counter.read", "13333333 3333YYY oo3", Y=OPEN_BILLS),
    "GET /admin/v1/counter/due #by person": row("counter.read", "13333333 3333YYY oo3", Y=OPEN_BILLS),
    "GET /admin/v1/counter/due #by code": row("counter.read", "13333333 3333YYY 443", Y=OPEN_BILLS),
    "POST /admin/v1/counter/takings": row(
        "counter.work", "13333333 3333YYY 443", status=201,
        writes="payment_order payment_line payment_hold payment_attempt counter_voucher bill posting account outbox "
               "audit_entry idempotency",
    ),
    "POST /admin/v1/counter/codes": row(
        "counter.work", "13333333 3333YYY 443", status=201,
        writes="payment_order payment_line payment_hold payment_attempt audit_entry idempotency",
    ),
    "POST /admin/v1/counter/vouchers/{voucher_id}/void": row(
        "refund.request", "13333333 3333YYY 443", status=201,
        writes="refund refund_line payment_attempt approval audit_entry idempotency",
    ),
    "GET /admin/v1/counter/refunds": row("counter.read", "13333333 3333YYY oo3"),
    "POST /admin/v1/counter/refunds/{refund_id}/pay-out": row(
        "counter.work", "13333333 3333YYY 443", status=201,
        writes="refund counter_voucher bill posting account outbox audit_entry idempotency",
    ),
    "POST /admin/v1/counter/deposits": row(
        "counter.work", "13333333 3333YYY 443", status=201, writes="bank_deposit posting audit_entry idempotency"
    ),
    "GET /admin/v1/counter/deposits": row(
        "counter.read", "13333333 3333YYY oo3", Y="deposit shift a", admin="deposit shift a b_deposit b_shift b",
        neighbour="b_deposit b_shift b", rival="c_deposit c_shift c",
    ),
    "GET /admin/v1/receipts": row(
        "receipt.read", "13333333 33Y3YYY oo3", Y=RECEIPTS, admin=f"{RECEIPTS} b_receipt b_order b",
        neighbour="b_receipt b_order b", rival="c_receipt c_order c",
    ),
    "GET /admin/v1/receipts/{receipt_id}": row("receipt.read", "13333333 33Y3YYY 443", Y="receipt order a"),
    "GET /admin/v1/receipts/{receipt_id}/paper": row("receipt.read", "13333333 33Y3YYY 443"),
    "POST /admin/v1/orders/{order_id}/receipt": row(
        "receipt.issue", "13333333 3333YYY 443", writes="receipt receipt_series audit_entry"
    ),
    "GET /api/v1/payments/{payment_id}/receipt": row("resident", "13444YY3 3333333 333", Y="receipt order a"),
    "GET /api/v1/payments/{payment_id}/receipt/paper": row("resident", "13444YY3 3333333 333"),
}  # fmt: skip

# Merchants and bank accounts are the company's; a difference is its community's.
RECONCILIATION = {
    "GET /admin/v1/reconciliation-runs": row("reconciliation.read", "13333333 333344Y 4o3", Y="merchant"),
    "POST /admin/v1/reconciliation-runs": row(
        "reconciliation.run", "13333333 333344Y 443", status=201, writes="outbox audit_entry idempotency"
    ),
    "GET /admin/v1/reconciliation-runs/{run_id}": row("reconciliation.read", "13333333 333344Y 443", Y="merchant"),
    "GET /admin/v1/reconciliation-runs/{run_id}/differences": row(
        "reconciliation.read", "13333333 333344Y 443", Y="difference"
    ),
    "POST /admin/v1/differences/{difference_id}/write-off": row(
        "difference.write_off_propose", "13333333 3333YYY 443", status=201, writes="approval audit_entry idempotency"
    ),
    "GET /admin/v1/bank-layouts": row("bank.import", "13333333 333344Y 4o3"),
    "POST /admin/v1/bank-layouts": row(
        "bank.import", "13333333 333344Y 4o3", status=201, writes="bank_layout audit_entry idempotency"
    ),
    "POST /admin/v1/bank-files/preview": row("bank.import", "13333333 333344Y 443"),
    "POST /admin/v1/bank-files": row(
        "bank.import", "13333333 333344Y 443", status=201, writes="bank_file bank_line audit_entry"
    ),
    "GET /admin/v1/bank-lines": row("bank.import", "13333333 333344Y 4o3"),
    "POST /admin/v1/bank-lines/{number}/set-aside": row(
        "bank.import", "13333333 333344Y 443", writes="bank_line audit_entry"
    ),
    "GET /admin/v1/closing-day": row("reconciliation.read", "13333333 333344Y 4o3"),
}  # fmt: skip

REFUNDS = {
    "POST /admin/v1/orders/{order_id}/refunds": row(
        "refund.request", "13333333 3333YYY 443", status=201,
        writes="refund refund_line payment_attempt approval audit_entry idempotency",
    ),
    "POST /admin/v1/differences/{difference_id}/refunds": row(
        "refund.request", "13333333 3333YYY 443", status=201,
        writes="refund difference approval audit_entry idempotency",
    ),
    "GET /admin/v1/refunds": row(
        "refund.read", "13333333 3333YYY oo3", Y=ALL_REFUNDS, admin=f"{ALL_REFUNDS} b_refund b_order b",
        neighbour="b_refund b_order b merchant", rival="c_refund c_order c c_merchant",
    ),
    "GET /admin/v1/refunds/{refund_id}": row("refund.read", "13333333 3333YYY 443", Y="refund order a merchant"),
    "POST /admin/v1/refunds/{refund_id}/ask": row("refund.ask", "13333333 3333YYY 443", writes="refund"),
    "POST /admin/v1/refunds/{refund_id}/redirect": row(
        "refund.request", "13333333 3333YYY 443", status=201, writes="refund approval audit_entry idempotency",
    ),
    "POST /admin/v1/merchants/{merchant_id}/automatic-refunds": row(
        "merchant.manage", "13333333 333333Y 443", status=201, writes="approval audit_entry idempotency"
    ),
    "GET /api/v1/refunds": row(
        "resident", "13ooooY3 3333333 333", stranger="next_refund next_order", owner="refund order"
    ),
}  # fmt: skip

DEVICES = {
    "GET /admin/v1/devices": row(
        "device.read", "13333333 3Y333YY oo3", Y="device gate a", admin="device gate a b_device b_gate b",
        neighbour="b_device b_gate b", rival="c_device c_gate c",
    ),
    "POST /admin/v1/devices": row("device.manage", "13333333 333333Y 443", status=201, writes="device audit_entry"),
    "POST /admin/v1/devices/{device_id}/secret": row(
        "device.manage", "13333333 333333Y 443", writes="device audit_entry"
    ),
    "POST /admin/v1/devices/{device_id}/revoke": row(
        "device.manage", "13333333 333333Y 443", writes="device audit_entry"
    ),
    "GET /device/v1/commands": row("device", "1333333o 3333333 333"),
    "POST /device/v1/commands/{command_id}/acknowledgement": row(
        "device", "1333333Y 3333333 333", writes="device_command audit_entry outbox"
    ),
}  # fmt: skip

LOT = "/admin/v1/parking-lots/{lot_id}"
LANE = f"{LOT}/lanes/{{lane_id}}"
STAYS = "/admin/v1/parking-stays/{session_id}"
ENTRY = "parking_session parking_wildcard parking_event"
LISTED = "parking_gate_version parking_gate_change"

PARKING = {
    "GET /admin/v1/parking-lots": row(
        "parking.read", "13333333 YYYYYYY oo3", Y="lot a", admin="lot a b_lot b", neighbour="b_lot b", rival="c_lot c"
    ),
    "POST /admin/v1/communities/{community_id}/parking-lots": row(
        "parking.edit", "13333333 33333YY 443", status=201, writes="parking_lot audit_entry idempotency"
    ),
    f"PUT {LOT}": row("parking.edit", "13333333 33333YY 443", writes="parking_lot audit_entry"),
    f"GET {LOT}/lanes": row("parking.read", "13333333 YYYYYYY 443", Y="lot device"),
    f"POST {LOT}/lanes": row(
        "parking.edit", "13333333 33333YY 443", status=201, writes="parking_lane audit_entry idempotency"
    ),
    f"GET {LOT}/tariffs": row("parking.read", "13333333 YYYYYYY 443", Y="tariff"),
    f"POST {LOT}/tariffs": row(
        "parking.tariff_propose", "13333333 33333YY 443", status=202, writes="approval audit_entry idempotency"
    ),
    f"POST {LOT}/tariffs/what-if": row("parking.tariff_propose", "13333333 33333YY 443"),
    "POST /admin/v1/approvals/{approval_id}/decision #parking tariff": row(
        "staff.self", "13333333 44444YY 444", writes="approval parking_tariff audit_entry"
    ),
    f"GET {LOT}/cards": row("parking.card", "13333333 33Y33YY 443", Y="card house next_card next_house"),
    f"POST {LOT}/cards": row(
        "parking.card", "13333333 33Y33YY 443", status=201,
        writes=f"parking_card parking_card_vehicle parking_vehicle {LISTED} audit_entry idempotency",
    ),
    "POST /admin/v1/parking-cards/{card_id}/cancel": row(
        "parking.card", "13333333 33Y33YY 443", writes=f"parking_card parking_card_vehicle {LISTED} audit_entry"
    ),
    f"POST {LOT}/list-entries": row(
        "parking.edit", "13333333 33333YY 443", status=201,
        writes=f"parking_list_entry parking_vehicle {LISTED} audit_entry idempotency",
    ),
    f"GET {LOT}/stays": row("parking.stays", "13333333 Y3Y33YY 443", Y="stay next_stay lot"),
    f"GET {STAYS}": row("parking.stays", "13333333 Y3Y33YY 443", Y="stay lot"),
    f"POST {LOT}/lanes/{{lane_id}}/open": row(
        "parking.guard", "13333333 Y3333YY 443",
        writes=f"{ENTRY} parking_hand_opening device_command audit_entry idempotency",
    ),
    f"GET {LOT}/figures": row("parking.figures", "13333333 333YYYY 443"),
    f"GET {LOT}/figures.xlsx": row("parking.figures", "13333333 333YYYY 443"),
    f"GET {LOT}/hand-openings": row("parking.figures", "13333333 333YYYY 443"),
    f"GET {LOT}/limits": row("parking.read", "13333333 YYYYYYY 443"),
    f"PUT {LOT}/limits": row("parking.edit", "13333333 33333YY 443", writes="parking_lot audit_entry"),
    f"GET {LOT}/long-stays": row("parking.stays", "13333333 Y3Y33YY 443"),
    f"POST {LOT}/open-all": row("parking.guard", "13333333 Y3333YY 443", writes="device_command audit_entry"),
    f"POST {STAYS}/correct": row("parking.guard", "13333333 Y3333YY 443", writes=f"{ENTRY} audit_entry"),
    f"POST {STAYS}/match": row("parking.guard", "13333333 Y3333YY 443", writes=f"{ENTRY} device_command audit_entry"),
    f"POST {STAYS}/void": row("parking.guard", "13333333 Y3333YY 443", writes=f"{ENTRY} audit_entry"),
    f"POST {STAYS}/quote": row(
        "parking.stays", "13333333 Y3Y33YY 443", writes="parking_quote parking_session parking_event"
    ),
    f"POST {STAYS}/vehicle-class": row(
        "parking.guard", "13333333 Y3333YY 443", writes="parking_session parking_event audit_entry"
    ),
    f"POST {STAYS}/plate": row("parking.guard", "13333333 Y3333YY 443", writes="audit_entry"),
    f"GET {LOT}/shops": row(
        "parking.shops", "13333333 33Y3YYY 443", Y="lot house shop offer next_house next_shop next_offer"
    ),
    f"POST {LOT}/shops": row(
        "parking.edit", "13333333 33333YY 443", status=201, writes="parking_shop audit_entry idempotency"
    ),
    "POST /admin/v1/parking-shops/{shop_id}/close": row(
        "parking.edit", "13333333 33333YY 443", writes="parking_shop audit_entry"
    ),
    "POST /admin/v1/parking-shops/{shop_id}/coupon-offers": row(
        "parking.edit", "13333333 33333YY 443", status=201, writes="parking_coupon_offer audit_entry idempotency"
    ),
    "POST /admin/v1/parking-coupon-offers/{offer_id}/grants": row(
        "parking.edit", "13333333 33333YY 443", writes="parking_coupon_grant audit_entry idempotency"
    ),
    f"GET {LOT}/shop-settlements": row("parking.shops", "13333333 33Y3YYY 443"),
    # Who lives in a shop gives its coupons; whoever has been given a code may enter it for any car.
    "GET /api/v1/parking-shops": row(
        "resident", "13ooYYY3 3333333 333", Y="lot house shop offer", stranger="lot next_house next_shop next_offer"
    ),
    "POST /api/v1/parking-coupon-offers/{offer_id}/codes": row(
        "resident", "1344YYY3 3333333 333", status=201, writes="parking_coupon"
    ),
    "POST /api/v1/parking-coupon-offers/{offer_id}/coupons": row(
        "resident", "1344YYY3 3333333 333", writes="parking_coupon parking_coupon_use parking_event idempotency"
    ),
    "POST /api/v1/parking-coupons": row(
        "resident", "1YYYYYY3 3333333 333",
        writes="parking_coupon_use parking_event parking_quote parking_session",
    ),
    f"POST {STAYS}/pictures": row("parking.guard", "13333333 Y3333YY 443", writes="audit_entry"),
    "GET /api/v1/parking-lots": row("resident", "1oooYYY3 3333333 333", Y="lot a", stranger="lot a"),
    "GET /api/v1/parking-lots/{lot_id}/free-spaces": row("resident", "14Y4YYY3 3333333 333"),
    f"POST {LOT}/visitor-cards": row(
        "parking.card", "13333333 33Y33YY 443", status=201,
        writes=f"parking_card parking_card_vehicle parking_vehicle parking_visitor {LISTED} audit_entry idempotency",
    ),
    # Whoever lives in the house, tenants too.
    "GET /api/v1/houses/{house_id}/visitor-vehicles": row("resident", "1444YYY3 3333333 333"),
    "POST /api/v1/houses/{house_id}/visitor-vehicles": row(
        "resident", "1444YYY3 3333333 333", status=201,
        writes=f"parking_card parking_card_vehicle parking_vehicle parking_visitor {LISTED} audit_entry idempotency",
    ),
    "GET /api/v1/parking-vehicles": row(
        "resident", "13oooYY3 3333333 333", Y="vehicle house", stranger="next_vehicle next_house"
    ),
    "GET /api/v1/parking-stays": row("resident", "13oooYY3 3333333 333", Y="stay lot", stranger="next_stay lot"),
    # Whoever knows a plate may ask what it owes, and pay for it.
    "POST /api/v1/parking-quotes": row(
        "resident", "1YYYYYY3 3333333 333", writes="parking_quote parking_session parking_event"
    ),
    "POST /api/v1/parking-quotes/{quote_id}/payments": row(
        "resident", "13YYYYY3 3333333 333", status=201,
        writes="payment_order payment_line payment_hold payment_attempt audit_entry idempotency",
    ),
    f"GET {LANE}/scan-code": row("parking.read", "13333333 YYYYYYY 443"),
    f"GET {LANE}/scan-code.svg": row("parking.read", "13333333 YYYYYYY 443"),
    f"POST {LANE}/scan-code": row(
        "parking.edit", "13333333 33333YY 443", writes="parking_lane audit_entry idempotency"
    ),
    # Whoever stands at a lane may pay for any car there; without a plate he comes in and goes out by its code.
    "GET /p/lanes/{lane_code}": row("public", EVERYBODY),
    "GET /p/lanes/{lane_code}/wechat": row("public", "33333333 3333333 333"),
    "POST /p/lanes/{lane_code}/plate": row(
        "public", "YYYYYYYY YYYYYYY YYY", writes="parking_quote parking_session parking_event"
    ),
    "POST /p/lanes/{lane_code}/orders": row(
        "public", "YYYYYYYY YYYYYYY YYY",
        writes="payment_order payment_line payment_hold payment_attempt audit_entry",
    ),
    "POST /p/lanes/{lane_code}/enter": row(
        "public", "YYYYYYYY YYYYYYY YYY",
        writes="parking_session parking_scanned_entry parking_event device_command audit_entry",
    ),
    "POST /p/lanes/{lane_code}/leave": row(
        "public", "YYYYYYYY YYYYYYY YYY", writes="parking_session parking_event device_command audit_entry"
    ),
    "GET /device/v1/parking-gate-list": row("device", "1333333Y 3333333 333", writes="audit_entry"),
    "POST /device/v1/sightings": row("device", "1333333Y 3333333 333", writes=f"device_event {ENTRY}"),
    # The secret in a camera's address opens it, and nothing else does. Who signs does not stream.
    "POST /device/v1/cameras/{vendor}/{device_id}/{key}": row("public", "44444443 4444444 444"),
}  # fmt: skip

PARKING_CARDS = {
    f"GET {LOT}/card-products": row("parking.read", "13333333 YYYYYYY 443", Y="card_product lot"),
    f"POST {LOT}/card-products": row(
        "parking.tariff_propose", "13333333 33333YY 443", status=202, writes="approval audit_entry idempotency"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #parking card product": row(
        "staff.self", "13333333 44444YY 444", writes="approval parking_card_product audit_entry"
    ),
    "POST /admin/v1/parking-card-products/{product_id}/withdraw": row(
        "parking.edit", "13333333 33333YY 443", writes="parking_card_product audit_entry"
    ),
    "GET /admin/v1/parking-cards": row("parking.card_offer", "13333333 33Y3YYY oo3", Y="card lot house"),
    "POST /admin/v1/parking-cards/{card_id}/offers": row(
        "parking.card_offer", "13333333 33Y3YYY 443", writes="parking_card_sale"
    ),
    f"POST {LOT}/card-offers": row(
        "parking.card_offer", "13333333 33Y3YYY 443", writes="parking_card parking_card_sale parking_vehicle"
    ),
    "GET /api/v1/parking-cards": row(
        "resident", "13oooYY3 3333333 333", Y="card lot house", stranger="next_card lot next_house"
    ),
    "GET /api/v1/parking-lots/{lot_id}/card-products": row(
        "resident", "14Y4YYY3 3333333 333", Y="card_product lot"
    ),
    # A tenant's vehicles need the owner's leave.
    "POST /api/v1/parking-cards/{card_id}/payments": row(
        "resident", "13444YY3 3333333 333", status=201,
        writes="parking_card_sale payment_order payment_line payment_hold payment_attempt audit_entry idempotency",
    ),
    "POST /api/v1/parking-lots/{lot_id}/card-payments": row(
        "resident", "14443YY3 3333333 333", status=201,
        writes="parking_card parking_card_sale payment_order payment_line payment_hold payment_attempt audit_entry "
               "idempotency",
    ),
}  # fmt: skip

PARKING_SPACES = {
    f"GET {LOT}/spaces": row("parking.read", "13333333 YYYYYYY 443", Y="space house free_space lot"),
    f"POST {LOT}/spaces": row(
        "parking.edit", "13333333 33333YY 443", status=201, writes="parking_space audit_entry idempotency"
    ),
    "POST /admin/v1/parking-spaces/{space_id}/assign": row(
        "parking.space", "13333333 33Y33YY 443", writes="parking_space audit_entry"
    ),
    "POST /admin/v1/parking-spaces/{space_id}/release": row(
        "parking.space", "13333333 33Y33YY 443", writes="parking_space audit_entry"
    ),
    f"GET {LOT}/application-rules": row("parking.read", "13333333 YYYYYYY 443"),
    f"PUT {LOT}/application-rules": row(
        "parking.edit", "13333333 33333YY 443", writes="parking_application_rule audit_entry"
    ),
    "GET /api/v1/parking-lots/{lot_id}/spaces": row("resident", "14Y4YYY3 3333333 333", Y="free_space"),
    "GET /api/v1/parking-spaces": row("resident", "13oooYY3 3333333 333", Y="space lot house"),
    "GET /api/v1/parking-applications": row("resident", "13oooYY3 3333333 333", Y="application house"),
    # A tenant's vehicles need the owner's leave.
    "POST /api/v1/parking-applications/spaces": row(
        "resident", "14443YY3 3333333 333", status=201, writes="approval audit_entry idempotency"
    ),
    "POST /api/v1/parking-applications/vehicles": row(
        "resident", "14443YY3 3333333 333", status=201, writes="approval parking_vehicle audit_entry idempotency"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #parking space": row(
        "staff.self", "13333333 44Y44YY 444", writes="approval parking_space audit_entry"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #parking vehicle": row(
        "staff.self", "13333333 44Y44YY 444", writes="approval parking_vehicle audit_entry"
    ),
}  # fmt: skip

TICKET, MY_TICKET = "/admin/v1/tickets/{ticket_id}", "/api/v1/tickets/{ticket_id}"
OURS = "ticket house a ticket_category"
PLACE_PATH, OUTAGE = "/admin/v1/communities/{community_id}", "/admin/v1/ticket-outages/{outage_id}"
MOVED = "ticket ticket_event audit_entry outbox"
DESK, WORK, TIED = "13333333 33Y33YY 443", "13333333 3YY33YY 443", "13444YY3 3333333 333"

TICKETS = {
    "GET /api/v1/houses/{house_id}/ticket-categories": row(
        "resident", "1444YYY3 3333333 333", Y="ticket_category grab_category"
    ),
    "POST /api/v1/houses/{house_id}/tickets": row(
        "resident", "1444YYY3 3333333 333", status=201, writes=f"{MOVED} ticket_clock idempotency"
    ),
    # Whose photo it is binds it; whoever may see the ticket is shown it.
    "POST /api/v1/houses/{house_id}/tickets #with a photo": row(
        "resident", "1444YYY3 3333333 333", status=201, writes=f"{MOVED} ticket_clock media idempotency"
    ),
    # A tenant has his own tickets alone.
    "GET /api/v1/tickets": row(
        "resident", "13oooYY3 3333333 333", Y=OURS, owner=f"{OURS} complaint",
        stranger="next_ticket held_ticket next_house a ticket_category staff_engineer",
    ),
    "GET /api/v1/houses/{house_id}/ticket-outages": row("resident", "1444YYY3 3333333 333"),
    f"GET {MY_TICKET}": row("resident", TIED, Y=OURS),
    f"POST {MY_TICKET}/urge": row("resident", TIED, writes=MOVED),
    f"POST {MY_TICKET}/cancel": row("resident", TIED, writes=f"{MOVED} ticket_assignment ticket_clock"),
    f"POST {MY_TICKET}/sign-off": row("resident", TIED, writes=MOVED),
    f"POST {MY_TICKET}/reopen": row("resident", TIED, writes=f"{MOVED} ticket_clock"),
    f"POST {MY_TICKET}/rating": row("resident", TIED, writes=f"{MOVED} ticket_rating"),
    "GET /admin/v1/tickets": row("ticket.read", "13333333 3YYY3YY oo3", Y=OURS),
    f"GET {TICKET}": row("ticket.read", "13333333 3YYY3YY 443", Y=OURS),
    "GET /admin/v1/ticket-work": row(
        "ticket.work", "13333333 3oo33oo oo3", engineer="held_ticket next_house a ticket_category staff_engineer"
    ),
    "GET /admin/v1/ticket-work/grabbable": row(
        "ticket.work", "13333333 3YY33YY oo3", Y="grab_ticket a grab_category"
    ),
    f"GET {TICKET}/suggestions": row("ticket.dispatch", "13333333 33Y33YY 443", Y="outage a"),
    f"GET {TICKET}/paper": row("ticket.read", "13333333 3YYY3YY 443"),
    f"POST {TICKET}/triage": row("ticket.dispatch", DESK, writes=MOVED),
    f"POST {TICKET}/reject": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/merge": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/cancel": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/assign": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_assignment"),
    f"POST {TICKET}/transfer": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_assignment"),
    f"POST {TICKET}/hold": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/release": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/sign-off": row("ticket.dispatch", DESK, writes=MOVED),
    f"POST {TICKET}/reopen": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/follow-up": row("ticket.dispatch", DESK, writes=MOVED),
    f"POST {TICKET}/close": row("ticket.dispatch", DESK, writes=MOVED),
    f"POST {TICKET}/grab": row("ticket.work", WORK, writes=f"{MOVED} ticket_assignment ticket_clock"),
    # What somebody has in hand is moved by that one alone.
    f"POST {TICKET}/accept": row("ticket.work", WORK, writes=f"{MOVED} ticket_assignment ticket_clock"),
    f"POST {TICKET}/accept #in another's hands": row("ticket.work", "13333333 3333333 443"),
    f"POST {TICKET}/return": row("ticket.work", WORK, writes=f"{MOVED} ticket_assignment"),
    f"POST {TICKET}/pause": row("ticket.work", WORK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/resume": row("ticket.work", WORK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/arrive": row("ticket.work", WORK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/done": row("ticket.work", WORK, writes=f"{MOVED} ticket_assignment ticket_clock"),
    f"POST {TICKET}/approval": row("ticket.work", WORK, status=202, writes="approval audit_entry idempotency"),
    "POST /admin/v1/approvals/{approval_id}/decision #ticket work": row(
        "staff.self", "13333333 44Y44YY 444", writes="approval ticket audit_entry"
    ),
    # Categories and rules are the company's: a role in one community reads them.
    "GET /admin/v1/ticket-categories": row(
        "ticket.read", "13333333 3YYY3YY oo3", Y="ticket_category grab_category",
        admin="ticket_category grab_category b_ticket_category b",
        neighbour="ticket_category grab_category b_ticket_category b", rival="c_ticket_category",
    ),
    "POST /admin/v1/ticket-categories": row(
        "ticket.settings", "13333333 333334Y 4o3", status=201, writes="ticket_category audit_entry idempotency"
    ),
    "PUT /admin/v1/ticket-categories/{category_id}": row(
        "ticket.settings", "13333333 333334Y 443", writes="ticket_category audit_entry"
    ),
    "POST /admin/v1/ticket-categories/{category_id}/withdraw": row(
        "ticket.settings", "13333333 333334Y 443", writes="ticket_category audit_entry"
    ),
    f"GET {PLACE_PATH}/ticket-duty": row("ticket.read", "13333333 3YYY3YY 443"),
    f"PUT {PLACE_PATH}/ticket-duty": row(
        "ticket.settings", "13333333 33333YY 443", writes="ticket_duty audit_entry"
    ),
    f"POST {PLACE_PATH}/ticket-duty/exceptions": row(
        "ticket.settings", "13333333 33333YY 443", status=201, writes="ticket_duty_exception audit_entry idempotency"
    ),
    "DELETE /admin/v1/ticket-duty-exceptions/{exception_id}": row(
        "ticket.settings", "13333333 33333YY 443", writes="ticket_duty_exception audit_entry"
    ),
    f"GET {PLACE_PATH}/ticket-workers": row(
        "ticket.read", "13333333 3YYY3YY 443",
        Y="staff_engineer staff_service staff_manager staff_admin staff_unproven staff_second",
    ),
    f"PUT {PLACE_PATH}/ticket-workers/{{staff_id}}": row(
        "ticket.settings", "13333333 33333YY 443", writes="ticket_skill ticket_patch audit_entry"
    ),
    "GET /admin/v1/ticket-handling": row("ticket.read", "13333333 3YYY3YY oo3"),
    "PUT /admin/v1/ticket-handling": row(
        "ticket.settings", "13333333 333334Y 4o3", writes="ticket_handling audit_entry"
    ),
    "GET /admin/v1/ticket-outages": row(
        "ticket.read", "13333333 3YYY3YY oo3", Y="outage a", admin="outage a b_outage b", neighbour="b_outage b",
    ),
    f"POST {PLACE_PATH}/ticket-outages": row(
        "ticket.dispatch", DESK, status=201, writes="ticket_outage audit_entry idempotency"
    ),
    f"POST {OUTAGE}/tickets": row(
        "ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock idempotency"
    ),
    f"POST {OUTAGE}/progress": row(
        "ticket.dispatch", DESK, writes="ticket_outage_note outbox audit_entry idempotency"
    ),
    f"POST {OUTAGE}/end": row(
        "ticket.dispatch", DESK, writes="ticket_outage ticket_outage_note outbox audit_entry"
    ),
    "GET /admin/v1/ticket-figures": row(
        "ticket.figures", "13333333 333Y3YY 443", Y="building"
    ),
    "GET /admin/v1/ticket-figures.xlsx": row("ticket.figures", "13333333 333Y3YY 443"),
    "GET /admin/v1/ticket-rules": row("ticket.read", "13333333 3YYY3YY oo3"),
    "PUT /admin/v1/ticket-rules": row(
        "ticket.settings", "13333333 333334Y 4o3", writes="ticket_rule audit_entry"
    ),
}  # fmt: skip

BILL_DISPUTE = "/api/v1/bills/{bill_id}/dispute"
CAUSES, POLICY = "/admin/v1/complaint-causes", "/admin/v1/complaint-policy"
SENT = f"{MOVED} ticket_clock ticket_complaint idempotency"

COMPLAINTS = {
    "POST /api/v1/houses/{house_id}/complaints": row("resident", "1444YYY3 3333333 333", status=201, writes=SENT),
    "POST /api/v1/houses/{house_id}/complaints #anonymous": row(
        "resident", "1444YYY3 3333333 333", status=201, writes=f"{SENT} ticket_reporter"
    ),
    "GET /api/v1/houses/{house_id}/rating-tags": row("resident", "1444YYY3 3333333 333"),
    # An anonymous one is its reporter's alone.
    f"GET {MY_TICKET}/complaint": row("resident", "134444Y3 3333333 333"),
    f"POST {MY_TICKET}/notes": row("resident", TIED, writes=MOVED),
    f"POST {BILL_DISPUTE}": row("resident", "13444YY3 3333333 333", status=201, writes=f"{SENT} bill_dispute"),
    f"GET {BILL_DISPUTE}": row("resident", "13444YY3 3333333 333"),
    "POST /admin/v1/complaints": row("ticket.dispatch", DESK, status=201, writes=SENT),
    "GET /admin/v1/complaints": row(
        "ticket.read", "13333333 3YYY3YY oo3", Y="complaint a", admin="complaint a b_complaint b",
        neighbour="b_complaint b", rival="c_complaint c",
    ),
    f"GET {TICKET}/complaint": row("ticket.read", "13333333 3YYY3YY 443", Y="complaint a"),
    "GET /admin/v1/ticket-follow-ups": row("ticket.dispatch", "13333333 33Y33YY oo3"),
    "GET /admin/v1/complaint-figures": row(
        "ticket.read", "13333333 3YYY3YY oo3", Y="a", admin="a b", neighbour="b", rival="c"
    ),
    f"POST {TICKET}/caller": row("ticket.dispatch", DESK, writes="audit_entry"),
    # A look is an administrator's: asked by one, allowed by another, for the one who asked.
    f"POST {TICKET}/look": row(
        "ticket.reveal", "13333333 333333Y 443", status=202, writes="approval audit_entry idempotency"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #ticket look": row(
        "staff.self", "13333333 44444YY 444", writes=f"approval ticket_look {MOVED}"
    ),
    f"GET {TICKET}/reporter": row("ticket.reveal", "13333333 333333Y 443", writes="audit_entry"),
    f"GET {TICKET}/reporter #look of another": row("ticket.reveal", "13333333 3333333 443"),
    f"POST {TICKET}/classify": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_complaint ticket_clock"),
    f"POST {TICKET}/contact": row("ticket.work", WORK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/answer": row(
        "ticket.work", WORK, writes=f"{MOVED} ticket_assignment ticket_clock ticket_complaint"
    ),
    f"POST {TICKET}/desk-contact": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock"),
    f"POST {TICKET}/desk-answer": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_clock ticket_complaint"),
    f"POST {TICKET}/notes": row("ticket.dispatch", DESK, writes=MOVED),
    f"POST {TICKET}/remarks": row("ticket.dispatch", DESK, writes=MOVED),
    f"POST {TICKET}/cause": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_complaint"),
    f"POST {TICKET}/rating-reply": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_rating_reply"),
    # What holds for complaints is the company's.
    f"GET {POLICY}": row("ticket.read", "13333333 3YYY3YY oo3"),
    f"PUT {POLICY}": row("ticket.settings", "13333333 333334Y 4o3", writes="ticket_complaint_policy audit_entry"),
    f"GET {CAUSES}": row("ticket.read", "13333333 3YYY3YY oo3"),
    f"POST {CAUSES}": row(
        "ticket.settings", "13333333 333334Y 4o3", status=201, writes="ticket_cause audit_entry idempotency"
    ),
    f"DELETE {CAUSES}/{{cause_id}}": row(
        "ticket.settings", "13333333 333334Y 443", writes="ticket_cause audit_entry"
    ),
}  # fmt: skip

STOCK = "/admin/v1/ticket-stock/{place_id}"
READS = "13333333 3YYY3YY 443"
TWO_OF_MANAGERS = "13333333 44444YY 444"
STOCKED = "ticket_stock ticket_stock_movement audit_entry idempotency"

REPAIRS = {
    # Items and places of B are read by who works there.
    "GET /admin/v1/ticket-prices": row(
        "ticket.read", "13333333 3YYY3YY oo3", Y="repair_item a", admin="repair_item a b_repair_item b",
        neighbour="b_repair_item b", rival="c_repair_item c",
    ),
    "POST /admin/v1/ticket-prices": row(
        "ticket.price_propose", "13333333 33333YY 443", status=202, writes="approval audit_entry idempotency"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #ticket price": row(
        "staff.self", TWO_OF_MANAGERS, writes="approval ticket_item ticket_price audit_entry"
    ),
    "POST /admin/v1/ticket-prices/{item_id}/withdraw": row(
        "ticket.settings", "13333333 333334Y 443", writes="ticket_item audit_entry"
    ),
    "GET /admin/v1/ticket-stock": row(
        "ticket.read", "13333333 3YYY3YY oo3", Y="repair_store repair_item a",
        admin="repair_store repair_item a b_repair_store b_repair_item b",
        neighbour="b_repair_store b_repair_item b", rival="c_repair_store c_repair_item c",
    ),
    "POST /admin/v1/ticket-stock": row(
        "ticket.stock", DESK, status=201, writes="ticket_stock_place audit_entry idempotency"
    ),
    f"POST {STOCK}/receipts": row("ticket.stock", DESK, status=201, writes=STOCKED),
    f"POST {STOCK}/transfers": row("ticket.stock", DESK, status=201, writes=STOCKED),
    f"POST {STOCK}/returns": row("ticket.stock", DESK, status=201, writes=STOCKED),
    f"POST {STOCK}/counts": row("ticket.stock", DESK, status=202, writes="approval audit_entry idempotency"),
    "POST /admin/v1/approvals/{approval_id}/decision #stocktaking": row(
        "staff.self", TWO_OF_MANAGERS, writes="approval ticket_stock ticket_stock_movement audit_entry"
    ),
    f"GET {STOCK}/movements": row("ticket.read", READS, Y="repair_item"),
    # Who has it in hand quotes; the resident answers, or the desk for him.
    f"POST {TICKET}/quote": row("ticket.work", WORK, writes=f"{MOVED} ticket_quote"),
    f"POST {TICKET}/quote #in another's hands": row("ticket.work", "13333333 3333333 443"),
    f"POST {TICKET}/agree": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_quote"),
    f"POST {TICKET}/decline": row("ticket.dispatch", DESK, writes=f"{MOVED} ticket_quote"),
    f"GET {TICKET}/quotes": row("ticket.read", READS, Y="repair_quote repair_item"),
    f"POST {TICKET}/costs": row(
        "ticket.work", WORK, status=201, writes="ticket_cost approval audit_entry idempotency"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #ticket cost": row(
        "staff.self", TWO_OF_MANAGERS, writes="approval ticket_cost audit_entry"
    ),
    f"POST {TICKET}/waiver": row(
        "ticket.waive_propose", DESK, status=202, writes="approval audit_entry idempotency"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #ticket waiver": row(
        "staff.self", TWO_OF_MANAGERS, writes="approval ticket_quote posting audit_entry"
    ),
    f"POST {TICKET}/signature": row("ticket.dispatch", DESK, writes="audit_entry"),
    f"GET {MY_TICKET}/quotes": row("resident", TIED, Y="repair_quote repair_item"),
    f"POST {MY_TICKET}/agree": row("resident", TIED, writes=f"{MOVED} ticket_quote"),
    f"POST {MY_TICKET}/decline": row("resident", TIED, writes=f"{MOVED} ticket_quote"),
    f"POST {MY_TICKET}/payments": row(
        "resident", TIED, status=201,
        writes="payment_order payment_line payment_hold payment_attempt audit_entry idempotency",
    ),
}  # fmt: skip

ENTERED = "device_event visitor_pass visitor_entry outbox"
GATES = {
    "POST /device/v1/visitor-scans": row("device", "1333333Y 3333333 333", writes=ENTERED),
    "POST /device/v1/visitor-digits": row("device", "1333333Y 3333333 333", writes=ENTERED),
    "POST /device/v1/visitor-events": row("device", "1333333Y 3333333 333", writes=ENTERED),
    "GET /device/v1/visitor-bundle": row("device", "1333333Y 3333333 333", writes="audit_entry"),
    # The token names the pass by its id, in bytes; no house, no name.
    "GET /api/v1/visitor-passes/{pass_id}/code": row("resident", "13444YY3 3333333 333"),
    "GET /api/v1/visitor-passes/{pass_id}/code.png": row("resident", "13444YY3 3333333 333"),
    "GET /api/v1/houses/{house_id}/door-code": row("resident", "1444YYY3 3333333 333"),
    "GET /admin/v1/visitor-conflicts": row(
        "visitor.conflicts", "13333333 Y3Y33YY YY3", Y="a", admin="a b", neighbour="b", rival="c"
    ),
    "POST /admin/v1/visitor-conflicts/{conflict_id}/settle": row(
        "visitor.conflicts", "13333333 Y3Y33YY 443", writes="visitor_conflict audit_entry"
    ),
    "POST /admin/v1/communities/{community_id}/visitor-keys/distrust": row(
        "visitor.keys", "13333333 333333Y 443", writes="visitor_key visitor_gate_change audit_entry idempotency"
    ),
}  # fmt: skip

HOUSE, PASS, COMMUNITY = (
    "/api/v1/houses/{house_id}", "/api/v1/visitor-passes/{pass_id}", "/admin/v1/communities/{community_id}"
)  # fmt: skip
TOLD = "message_intent inbox_message outbox"
VISITORS = {
    # Whoever lives in the house, tenants too; of passes and permits a tenant reaches the tenant's own alone.
    f"GET {HOUSE}/visitor-options": row("resident", "1444YYY3 3333333 333", Y="gate"),
    f"GET {HOUSE}/visitor-passes": row(
        "resident", "1444YYY3 3333333 333", Y="pass lease_pass house", tenant="lease_pass house"
    ),
    f"GET {PASS}": row("resident", "13444YY3 3333333 333", Y="pass house"),
    f"GET {PASS} #the tenant's own": row("resident", "1344YYY3 3333333 333", Y="lease_pass house"),
    f"POST {HOUSE}/visitor-passes": row(
        "resident", "1444YYY3 3333333 333", status=201, writes="visitor_pass idempotency"
    ),
    f"POST {PASS}/submit": row("resident", "13444YY3 3333333 333", writes="visitor_pass"),
    f"POST {PASS}/cancel": row("resident", "13444YY3 3333333 333", writes="visitor_pass visitor_gate_change"),
    f"POST {PASS}/codes": row("resident", "13444YY3 3333333 333", writes="visitor_code"),
    f"GET {HOUSE}/visits": row("resident", "1444oYY3 3333333 333", Y="visit"),
    "GET /api/v1/walk-ins": row("resident", "13ooYYY3 3333333 333", Y="walk_in", stranger="next_walk_in"),
    "POST /api/v1/walk-ins/{walk_in_id}/answer": row("resident", "1344YYY3 3333333 333", writes="visitor_walk_in"),
    "GET /api/v1/goods-permits": row("resident", "13oooYY3 3333333 333", Y="permit", stranger="next_permit"),
    f"POST {HOUSE}/goods-permits": row(
        "resident", "1444YYY3 3333333 333", status=201, writes="goods_permit approval audit_entry idempotency"
    ),
    "POST /api/v1/goods-permits/{permit_id}/cancel": row("resident", "13444YY3 3333333 333", writes="goods_permit"),
    f"PUT {HOUSE}/door-pass": row("resident", "1444YYY3 3333333 333", writes="resident_pass"),
    f"GET {COMMUNITY}/visitor-rule": row("visitor.read", "13333333 Y3YY3YY 443"),
    f"PUT {COMMUNITY}/visitor-rule": row("visitor.edit", "13333333 33333YY 443", writes="visitor_rule audit_entry"),
    f"GET {COMMUNITY}/visitor-passes": row(
        "visitor.read", "13333333 Y3YY3YY 443", Y="pass lease_pass next_pass"
    ),
    "POST /admin/v1/visitor-passes/{pass_id}/revoke": row(
        "visitor.revoke", "13333333 33Y33YY 443", writes=f"visitor_pass visitor_gate_change audit_entry {TOLD}"
    ),
    f"GET {COMMUNITY}/visitor-bans": row("visitor.ban", "13333333 33Y33YY 443", Y="ban"),
    f"POST {COMMUNITY}/visitor-bans": row(
        "visitor.ban", "13333333 33Y33YY 443", status=201,
        writes="visitor_ban visitor_gate_change audit_entry idempotency",
    ),
    "POST /admin/v1/visitor-bans/{ban_id}/lift": row(
        "visitor.ban", "13333333 33Y33YY 443", writes="visitor_ban visitor_gate_change audit_entry"
    ),
    f"GET {COMMUNITY}/visitor-gates": row("visitor.guard", "13333333 Y3Y33YY 443", Y="gate"),
    "POST /admin/v1/visitor-gates/{gate_id}/admissions": row(
        "visitor.guard", "13333333 Y3Y33YY 443", status=201,
        writes="visitor_pass visitor_gate_change visitor_entry device_command audit_entry outbox idempotency",
    ),
    "POST /admin/v1/visitor-gates/{gate_id}/walk-ins": row(
        "visitor.guard", "13333333 Y3Y33YY 443", status=201, writes=f"visitor_walk_in {TOLD} idempotency"
    ),
    f"GET {COMMUNITY}/walk-ins": row("visitor.guard", "13333333 Y3Y33YY 443", Y="walk_in next_walk_in"),
    "POST /admin/v1/walk-ins/{walk_in_id}/decision": row(
        "visitor.guard", "13333333 Y3Y33YY 443",
        writes="visitor_walk_in visitor_entry device_command audit_entry outbox",
    ),
    f"GET {COMMUNITY}/visitor-entries": row("visitor.read", "13333333 Y3YY3YY 443", Y="visit next_visit"),
    "POST /admin/v1/visitor-entries/{entry_id}/check-out": row(
        "visitor.guard", "13333333 Y3Y33YY 443", writes="visitor_entry"
    ),
    f"GET {COMMUNITY}/goods-permits": row("visitor.guard", "13333333 Y3Y33YY 443", Y="permit next_permit"),
    "POST /admin/v1/goods-permits/{permit_id}/check-off": row(
        "visitor.guard", "13333333 Y3Y33YY 443", writes="goods_permit audit_entry"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #visitor pass": row(
        "staff.self", "13333333 44Y44YY 444", writes=f"approval visitor_pass audit_entry {TOLD}"
    ),
    "POST /admin/v1/approvals/{approval_id}/decision #visitor goods": row(
        "staff.self", "13333333 44Y44YY 444", writes=f"approval goods_permit audit_entry {TOLD}"
    ),
}  # fmt: skip

NOTICE = "/admin/v1/notices/{notice_id}"
NOTICES = {
    "GET /api/v1/notices": row("resident", "13ooYYY3 3333333 333", Y="notice a", stranger="next_notice a"),
    "POST /api/v1/notices/{notice_id}/read": row("resident", "1344YYY3 3333333 333", writes="notice_recipient"),
    "GET /admin/v1/notices": row(
        "notice.read", "13333333 33YY3YY oo3", Y="notice next_notice a",
        admin="notice next_notice a b_notice b", neighbour="b_notice b", rival="c_notice c",
    ),
    f"GET {NOTICE}": row("notice.read", "13333333 33YY3YY 443", Y="notice a house"),
    f"GET {NOTICE}/audience": row("notice.read", "13333333 33YY3YY 443", Y="owner family tenant"),
    f"POST {COMMUNITY}/notices": row(
        "notice.write", "13333333 33Y33YY 443", status=201, writes="notice audit_entry idempotency"
    ),
    f"POST {COMMUNITY}/notice-reach": row("notice.write", "13333333 33Y33YY 443"),
    f"PUT {NOTICE}": row("notice.write", "13333333 33Y33YY 443", writes="notice audit_entry"),
    f"POST {NOTICE}/publish": row(
        "notice.publish", "13333333 33333YY 443",
        writes="notice notice_recipient notice_sending audit_entry outbox",
    ),
    f"POST {NOTICE}/unschedule": row("notice.publish", "13333333 33333YY 443", writes="notice audit_entry"),
    f"POST {NOTICE}/withdraw": row(
        "notice.publish", "13333333 33333YY 443", writes="notice message_withdrawn audit_entry outbox"
    ),
    f"POST {NOTICE}/reminders": row(
        "notice.publish", "13333333 33333YY 443", writes="notice_sending audit_entry outbox idempotency"
    ),
    "PUT /admin/v1/outage": row("outage.tell", "13333333 333333Y 4o3", writes="audit_entry"),
    "DELETE /admin/v1/outage": row("outage.tell", "13333333 333333Y 4o3", writes="audit_entry"),
}  # fmt: skip

HOUSE_CODE, GATE_CODE = "/admin/v1/houses/{house_id}/mini-code", "/admin/v1/gates/{gate_id}/mini-code"
SCREENING, CONTENT_CHECKS = "/admin/v1/ticket-screening", "/admin/v1/ticket-checks"

WEB = {
    # Outside of WeChat, and without a state of ours, nothing happens.
    "GET /p/login/{appid}": row("public", "33333333 3333333 333", status=302),
    "GET /p/login/{appid}/return": row("public", "33333333 3333333 333", status=302),
    "POST /api/v1/js-sdk/signature": row("resident", "1YYYYYY3 3333333 333"),
    "GET /api/v1/codes/{scene}": row("resident", "1oooYYY3 3333333 333", Y="house"),
    f"GET {HOUSE_CODE}": row("pay_code.manage", "13333333 33Y3YYY 443"),
    f"POST {HOUSE_CODE}": row(
        "pay_code.manage", "13333333 33Y3YYY 443", writes="wechat_code audit_entry idempotency"
    ),
    f"GET {GATE_CODE}": row("pay_code.manage", "13333333 33Y3YYY 443"),
    f"POST {GATE_CODE}": row(
        "pay_code.manage", "13333333 33Y3YYY 443", writes="wechat_code audit_entry idempotency"
    ),
    f"GET {SCREENING}": row("ticket.read", "13333333 3YYY3YY oo3"),
    f"PUT {SCREENING}": row("ticket.settings", "13333333 333334Y 4o3", writes="ticket_screening audit_entry"),
    f"GET {CONTENT_CHECKS}": row(
        "ticket.read", "13333333 3YYY3YY oo3", Y="ticket a", admin="ticket a b_ticket b", neighbour="b_ticket b",
        rival="c_ticket c",
    ),
    f"POST {CONTENT_CHECKS}/{{check_id}}/decision": row(
        "ticket.dispatch", "13333333 33Y33YY 443", writes="ticket_check audit_entry"
    ),
}  # fmt: skip

MATRIX: Mapping[str, Row] = {
    **SYSTEM, **RESIDENTS, **PREPAID, **OWN_ACCOUNT, **STAFF, **PROPERTY, **ROSTER, **FEES, **MESSAGES, **PAYMENTS,
    **ACCOUNT, **COUNTER, **RECONCILIATION, **REFUNDS, **DEVICES, **PARKING,
    **PARKING_CARDS, **PARKING_SPACES, **TICKETS, **COMPLAINTS, **REPAIRS, **GATES, **VISITORS, **NOTICES, **WEB,
}  # fmt: skip
