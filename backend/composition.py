"""Where everything comes together: the tables of all nouns, collected once for the API, the workers and the checks."""

from collections.abc import Mapping
from typing import Any

from sanic import Sanic

from backend import file_routes, start_page, status_page, system_routes
from backend.devices import admin as device_admin
from backend.devices import checks as device_checks
from backend.devices import device as device_routes
from backend.devices import handlers as device_handlers
from backend.devices import models as device_models
from backend.devices import signing
from backend.fees import admin as fee_admin
from backend.fees import approvals as fee_approvals
from backend.fees import checks as fee_checks
from backend.fees import handlers as fee_handlers
from backend.identity import admin as identity_admin
from backend.identity import checks as identity_checks
from backend.identity import handlers as identity_handlers
from backend.identity import models as identity_models
from backend.identity.principals import authenticate
from backend.kernel import edge
from backend.kernel import figures as kernel_figures
from backend.kernel.approvals import ApprovalKind
from backend.kernel.checks import Check
from backend.kernel.edge import Doors
from backend.kernel.http import Route
from backend.kernel.outbox import Handler
from backend.kernel.periodic import Periodic
from backend.kernel.resources import Resources
from backend.kernel.seals import SealedColumn
from backend.ledger import checks as ledger_checks
from backend.media import admin as media_admin
from backend.media import checks as media_checks
from backend.media import retention as media_retention
from backend.messaging import admin as messages_admin
from backend.messaging import checks as message_checks
from backend.messaging import handlers as message_handlers
from backend.messaging import registry as message_registry
from backend.messaging import retention as message_retention
from backend.notices import admin as notice_admin
from backend.notices import checks as notice_checks
from backend.notices import handlers as notice_handlers
from backend.notices import outage_admin
from backend.parking import admin as parking_admin
from backend.parking import approvals as parking_approvals
from backend.parking import checks as parking_checks
from backend.parking import handlers as parking_handlers
from backend.parking import models as parking_models
from backend.parking import retention as parking_retention
from backend.parking.cards import checks as parking_card_checks
from backend.parking.lanes import device as parking_devices
from backend.parking.lanes import gate_list_device
from backend.property import admin as property_admin
from backend.property import applications, calendar_admin, pay_code_admin
from backend.property import checks as property_checks
from backend.property import handlers as property_handlers
from backend.roster import admin as roster_admin
from backend.roster import exports as roster_exports
from backend.roster import handlers as roster_handlers
from backend.tickets import admin as ticket_admin
from backend.tickets import approvals as ticket_approvals
from backend.tickets import checks as ticket_checks
from backend.tickets import handlers as ticket_handlers
from backend.tickets import sweeping as ticket_sweeping
from backend.tickets.complaints import admin as complaint_admin
from backend.tickets.complaints import models as complaint_models
from backend.tickets.paid import admin as repair_admin
from backend.tickets.paid import approvals as repair_approvals
from backend.tickets.paid import checks as repair_checks
from backend.tickets.paid import models as repair_models
from backend.tickets.paid import stock_admin as repair_stock_admin
from backend.visitors import admin as visitor_admin
from backend.visitors import approvals as visitor_approvals
from backend.visitors import checks as visitor_checks
from backend.visitors import gate_admin as visitor_gate_admin
from backend.visitors import gate_checks as visitor_gate_checks
from backend.visitors import gate_device as visitor_gates
from backend.visitors import gate_handlers as visitor_gate_handlers
from backend.visitors import gate_models as visitor_gate_models
from backend.visitors import handlers as visitor_handlers
from backend.visitors import models as visitor_models
from backend.wechat import admin as wechat_admin
from backend.wechat import checks as wechat_checks
from backend.wechat import code_admin, push_log
from backend.wechat import models as wechat_models
from miniprogram_api import bills as resident_bills
from miniprogram_api import codes as resident_codes
from miniprogram_api import complaints as resident_complaints
from miniprogram_api import followers as account_followers
from miniprogram_api import houses as resident_houses
from miniprogram_api import js_sdk, lane_page, login, me, official_account, scan_page, web_login, wechat_server
from miniprogram_api import media as resident_media
from miniprogram_api import messages as resident_messages
from miniprogram_api import notices as resident_notices
from miniprogram_api import parking as resident_parking
from miniprogram_api import parking_applications as resident_parking_applications
from miniprogram_api import parking_cards as resident_parking_cards
from miniprogram_api import parking_shops as resident_shops
from miniprogram_api import parking_visitors as resident_visitors
from miniprogram_api import payments as resident_payments
from miniprogram_api import prepaid as resident_prepaid
from miniprogram_api import receipts as resident_receipts
from miniprogram_api import refunds as resident_refunds
from miniprogram_api import ticket_payments as resident_repairs
from miniprogram_api import tickets as resident_tickets
from miniprogram_api import visiting as resident_visiting
from miniprogram_api import visitor_codes as resident_visitor_codes
from miniprogram_api import visitors as resident_passes
from payments import admin as payments_admin
from payments import approvals as payment_approvals
from payments import callbacks, merchant_admin, refund_admin, refund_checks, refund_handlers
from payments import checks as payment_checks
from payments import figures as payment_figures
from payments import handlers as payment_handlers
from payments import models as payment_models
from payments.counter import admin as counter_admin
from payments.counter import checks as counter_checks
from payments.counter import handlers as counter_handlers
from payments.counter import receipt_admin
from payments.reconcile import admin as reconcile_admin
from payments.reconcile import checks as reconcile_checks
from payments.reconcile import handlers as reconcile_handlers
from payments.reconcile import writing_off
from workers import checks as worker_checks
from workers import housekeeping, jobs, resealing

MODELS = (
    "backend.kernel.models",
    "backend.ledger.models",
    "backend.identity.models",
    "backend.property.models",
    "backend.devices.models",
    "backend.wechat.models",
    "backend.media.models",
    "backend.roster.models",
    "backend.fees.models",
    "backend.parking.models",
    "backend.parking.cards.models",
    "backend.parking.shops.models",
    "backend.tickets.models",
    "backend.tickets.dispatch.models",
    "backend.tickets.paid.models",
    "backend.tickets.complaints.models",
    "backend.tickets.screening.models",
    "backend.visitors.gate_models",
    "backend.messaging.models",
    "backend.visitors.models",
    "backend.notices.models",
    "payments.models",
    "payments.counter.models",
    "payments.reconcile.models",
)

SEALED: tuple[SealedColumn, ...] = (
    *identity_models.SEALED,
    *device_models.SEALED,
    *parking_models.SEALED,
    *complaint_models.SEALED,
    *repair_models.SEALED,
    *visitor_gate_models.SEALED,
    *visitor_models.SEALED,
    *wechat_models.SEALED,
    *payment_models.SEALED,
)

ROUTES: tuple[Route, ...] = (
    *start_page.ROUTES,
    *status_page.ROUTES,
    *system_routes.routes(lambda: ROUTES, (kernel_figures.measure, payment_figures.measure)),
    *file_routes.ROUTES,
    *login.ROUTES,
    *web_login.ROUTES,
    *js_sdk.ROUTES,
    *me.ROUTES,
    *resident_houses.ROUTES,
    *resident_codes.ROUTES,
    *resident_media.ROUTES,
    *resident_bills.ROUTES,
    *resident_payments.ROUTES,
    *resident_refunds.ROUTES,
    *resident_receipts.ROUTES,
    *resident_prepaid.ROUTES,
    *resident_parking.ROUTES,
    *resident_parking_cards.ROUTES,
    *resident_parking_applications.ROUTES,
    *resident_shops.ROUTES,
    *resident_visitors.ROUTES,
    *resident_tickets.ROUTES,
    *resident_complaints.ROUTES,
    *resident_repairs.ROUTES,
    *resident_passes.ROUTES,
    *resident_visiting.ROUTES,
    *resident_visitor_codes.ROUTES,
    *scan_page.ROUTES,
    *lane_page.ROUTES,
    *resident_messages.ROUTES,
    *resident_notices.ROUTES,
    *official_account.ROUTES,
    *identity_admin.ROUTES,
    *property_admin.ROUTES,
    *calendar_admin.ROUTES,
    *pay_code_admin.ROUTES,
    *code_admin.ROUTES,
    *device_admin.ROUTES,
    *device_routes.ROUTES,
    *media_admin.ROUTES,
    *roster_admin.ROUTES,
    *fee_admin.ROUTES,
    *parking_admin.ROUTES,
    *parking_devices.ROUTES,
    *gate_list_device.ROUTES,
    *ticket_admin.ROUTES,
    *complaint_admin.ROUTES,
    *repair_admin.ROUTES,
    *repair_stock_admin.ROUTES,
    *visitor_admin.ROUTES,
    *visitor_gates.ROUTES,
    *visitor_gate_admin.ROUTES,
    *messages_admin.ROUTES,
    *notice_admin.ROUTES,
    *outage_admin.ROUTES,
    *wechat_admin.ROUTES,
    *merchant_admin.ROUTES,
    *payments_admin.ROUTES,
    *refund_admin.ROUTES,
    *counter_admin.ROUTES,
    *receipt_admin.ROUTES,
    *reconcile_admin.ROUTES,
    *callbacks.ROUTES,
    *wechat_server.routes(lambda: HANDLERS),
)

APPROVALS: Mapping[str, ApprovalKind] = {
    **applications.APPROVALS,
    **roster_exports.APPROVALS,
    **fee_approvals.APPROVALS,
    **parking_approvals.APPROVALS,
    **ticket_approvals.APPROVALS,
    **repair_approvals.APPROVALS,
    **visitor_approvals.APPROVALS,
    **payment_approvals.APPROVALS,
    **writing_off.APPROVALS,
}

HANDLERS: Mapping[str, Handler] = {
    **roster_handlers.HANDLERS,
    **fee_handlers.HANDLERS,
    **parking_handlers.HANDLERS,
    **ticket_handlers.HANDLERS,
    **visitor_handlers.HANDLERS,
    **message_handlers.HANDLERS,
    **notice_handlers.HANDLERS,
    **account_followers.HANDLERS,
    **payment_handlers.HANDLERS,
    **refund_handlers.HANDLERS,
    **counter_handlers.HANDLERS,
    **reconcile_handlers.HANDLERS,
    **jobs.HANDLERS,
    **resealing.handlers(SEALED),
}

CHECKS: tuple[Check, ...] = (
    *ledger_checks.CHECKS,
    *wechat_checks.CHECKS,
    *identity_checks.CHECKS,
    *property_checks.CHECKS,
    *device_checks.CHECKS,
    *media_checks.CHECKS,
    *fee_checks.CHECKS,
    *parking_checks.CHECKS,
    *parking_card_checks.CHECKS,
    *ticket_checks.CHECKS,
    *repair_checks.CHECKS,
    *visitor_checks.CHECKS,
    *visitor_gate_checks.CHECKS,
    *message_checks.CHECKS,
    *notice_checks.CHECKS,
    *payment_checks.CHECKS,
    *refund_checks.CHECKS,
    *counter_checks.CHECKS,
    *reconcile_checks.CHECKS,
    *worker_checks.CHECKS,
)

PERIODIC: tuple[Periodic, ...] = (
    *identity_handlers.PERIODIC,
    *property_handlers.PERIODIC,
    *device_handlers.PERIODIC,
    *media_retention.PERIODIC,
    *roster_handlers.PERIODIC,
    *fee_handlers.PERIODIC,
    *parking_retention.PERIODIC,
    *ticket_sweeping.PERIODIC,
    *visitor_handlers.PERIODIC,
    *visitor_gate_handlers.PERIODIC,
    *message_retention.PERIODIC,
    *notice_handlers.PERIODIC,
    *push_log.PERIODIC,
    *message_registry.PERIODIC,
    *payment_handlers.PERIODIC,
    *reconcile_handlers.PERIODIC,
    *refund_handlers.PERIODIC,
    *jobs.PERIODIC,
    *resealing.PERIODIC,
    *housekeeping.periodic(CHECKS),
)


def build_app(res: Resources, *, name: str = "linli") -> Sanic[Any, Any]:
    """The Sanic application over open resources, ready to serve."""
    app: Sanic[Any, Any] = Sanic(name, configure_logging=False)
    edge.attach(app, ROUTES, res, Doors(authenticate, signing.verify, signing.spend))
    return app
