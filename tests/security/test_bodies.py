"""What stands in bodies and queries: ids of others, fields nobody asked for, keys that are missing (API1, API3)."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from backend.composition import ROUTES
from backend.kernel.http import Route
from tests.security import fresh
from tests.security.matrix import COLUMNS, MATRIX
from tests.security.prepared import REQUESTS, Prepared
from tests.security.test_matrix import ask, route_of
from tests.security.world import Who, World, parked_message

ROWS = {f"{route.method} {route.path}": route for route in ROUTES}
WITH_BODY = [key for key, route in ROWS.items() if route.body is not None]
CREATING = [key for key, route in ROWS.items() if route.creates]
WITH_COMMUNITY = [key for key in ROWS if "{community_id}" in key]


def somebody_allowed(world: World, key: str) -> Who:
    """Somebody to whom the matrix allows the route, upon our rows where there is a choice."""
    cells = MATRIX[key].cells
    name = next((name for name in reversed(COLUMNS) if cells[name] == "Y"), None)
    return world.who[name or next((name for name in COLUMNS if cells[name] == "o"), "manager")]


async def refused(world: World, key: str, who: Who, sent: Prepared, *statuses: int) -> dict[str, Any]:
    """The refusal of a request that must change nothing."""
    await world.witness.take()
    answer = await ask(world, route_of(key), sent, who)
    assert answer.status in statuses, (key, sent.path, sent.body, answer.status, answer.body)
    changed = [change for change in await world.witness.take() if change.table != "login_guard"]
    assert changed == [], (key, changed)
    return answer.json["error"]


def nested_objects(body: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where in a body there are objects, the body itself included."""
    found = [path]
    for name, value in body.items():
        if isinstance(value, dict):
            found += nested_objects(value, (*path, name))
    return found


@pytest.mark.parametrize("key", WITH_BODY)
async def test_a_field_that_is_not_in_the_schema_is_refused(world: World, key: str) -> None:
    who = somebody_allowed(world, key)
    prepared = await REQUESTS[key](world, who)
    free_form = {("answers",), ("fields",), ("keys", "platform_keys"), ("attributes",)}
    for at in nested_objects(prepared.body):
        if at in free_form:
            continue
        for name, value in (("state", "PAID"), ("amount_fen", 1), ("role", "administrator"), ("is_admin", True)):
            body = json.loads(json.dumps(prepared.body))
            target = body
            for step in at:
                target = target[step]
            if name in target:
                name = f"{name}_"
            target[name] = value
            sent = Prepared(prepared.path, body, None, prepared.token)
            error = await refused(world, key, who, sent, 422)
            kinds = {(problem["field"], problem["kind"]) for problem in error["details"]["fields"]}
            assert (".".join([*at, name]), "extra_forbidden") in kinds, (key, kinds)


# A camera's address is looked at before anything else.
@pytest.mark.parametrize("key", [key for key in ROWS if "/v1/" in key and "/cameras/" not in key])
async def test_a_query_parameter_that_is_not_in_the_schema_is_refused(world: World, key: str) -> None:
    who = somebody_allowed(world, key)
    prepared = await REQUESTS[key](world, who)
    joint = "&" if "?" in prepared.path else "?"
    for extra in ("admin=true", "person_id=1"):
        sent = replace(prepared, path=f"{prepared.path}{joint}{extra}")
        await refused(world, key, who, sent, 400, 422)


@pytest.mark.parametrize("key", CREATING)
async def test_creating_needs_an_idempotency_key(world: World, key: str) -> None:
    who = somebody_allowed(world, key)
    prepared = await REQUESTS[key](world, who)
    for header in ("", "x" * 65, "a b", "钥匙".encode().decode("latin-1")):
        sent = Prepared(prepared.path, prepared.body, None, prepared.token, {"Idempotency-Key": header})
        assert (await refused(world, key, who, sent, 400))["code"] == "idempotency_key_required"


@pytest.mark.parametrize("key", WITH_COMMUNITY)
async def test_the_companys_own_id_is_no_community(world: World, key: str) -> None:
    """Roles for all of a company hold its id in their scope; it must open nothing that wants a community."""
    who = world.who["admin"]
    prepared = await REQUESTS[key](world, who)
    path = prepared.path.replace(str(world.a.id), str(world.a.company_id))
    await refused(world, key, who, replace(prepared, path=path, token=None), 404)


def _with(name: str, value: Callable[[World], object], *, wrap: bool = False) -> Callable[[World, Prepared], Prepared]:
    def change(world: World, prepared: Prepared) -> Prepared:
        given = str(value(world))
        return Prepared(prepared.path, {**prepared.body, name: [given] if wrap else given})

    return change


def named(name: str) -> Callable[[World], object]:
    return lambda world: world.ids[name]


UNKNOWN = lambda world: uuid4()  # noqa: E731
COMPANY = named("company")
# Route, who asks, the field, whose thing is named in it: by hand, one line per id that a body or a query may carry.
FOREIGN_IDS = [
    ("POST /api/v1/applications", "owner", "community_id", UNKNOWN, 422),
    ("POST /api/v1/applications", "owner", "community_id", COMPANY, 422),
    ("POST /api/v1/payments", "owner", "bill_ids", named("next_bill"), 404),
    ("POST /api/v1/payments", "owner", "bill_ids", named("b_bill"), 404),
    ("POST /api/v1/payments", "owner", "bill_ids", named("c_bill"), 404),
    ("POST /api/v1/payments", "owner", "bill_ids", named("draft_bill"), 404),
    ("POST /api/v1/payments", "tenant", "bill_ids", named("bill"), 404),
    ("POST /api/v1/payments", "former", "bill_ids", named("bill"), 404),
    ("POST /api/v1/payments", "owner", "bill_ids", UNKNOWN, 404),
    ("POST /admin/v1/staff/{staff_id}/roles", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/staff/{staff_id}/roles", "admin", "community_id", COMPANY, 404),
    ("POST /admin/v1/staff/{staff_id}/roles", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/staff/{staff_id}/roles/revoke", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/communities/{community_id}/houses", "manager", "unit_id", named("b_unit"), 404),
    ("POST /admin/v1/communities/{community_id}/houses", "admin", "unit_id", named("b_unit"), 404),
    ("POST /admin/v1/communities/{community_id}/houses", "admin", "unit_id", named("c_unit"), 404),
    ("POST /admin/v1/communities/{community_id}/houses", "admin", "unit_id", UNKNOWN, 404),
    ("POST /admin/v1/fee-items", "manager", "community_id", named("b"), 404),
    ("POST /admin/v1/fee-items", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/fee-items", "admin", "community_id", COMPANY, 404),
    ("POST /admin/v1/fee-items", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/fee-items/{item_id}/exclusions", "manager", "house_id", named("b_house"), 404),
    ("POST /admin/v1/fee-items/{item_id}/exclusions", "admin", "house_id", named("b_house"), 404),
    ("POST /admin/v1/fee-items/{item_id}/exclusions", "admin", "house_id", named("c_house"), 404),
    ("POST /admin/v1/fee-items/{item_id}/exclusions", "admin", "house_id", UNKNOWN, 404),
    ("POST /admin/v1/devices", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/devices", "admin", "community_id", COMPANY, 404),
    ("POST /admin/v1/devices", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/parking-lots/{lot_id}/lanes", "manager", "camera_device_id", named("b_device"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/lanes", "admin", "camera_device_id", named("b_device"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/lanes", "admin", "barrier_device_id", named("c_device"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/lanes", "admin", "barrier_device_id", UNKNOWN, 404),
    ("POST /admin/v1/parking-lots/{lot_id}/cards", "admin", "house_id", named("b_house"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/cards", "admin", "house_id", named("c_house"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/cards", "admin", "house_id", UNKNOWN, 404),
    ("POST /admin/v1/parking-lots/{lot_id}/visitor-cards", "admin", "house_id", named("b_house"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/visitor-cards", "admin", "house_id", named("c_house"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/visitor-cards", "admin", "house_id", UNKNOWN, 404),
    ("POST /api/v1/houses/{house_id}/visitor-vehicles", "owner", "lot_id", named("b_lot"), 404),
    ("POST /api/v1/houses/{house_id}/visitor-vehicles", "owner", "lot_id", named("c_lot"), 404),
    ("POST /api/v1/houses/{house_id}/visitor-vehicles", "owner", "lot_id", UNKNOWN, 404),
    ("POST /api/v1/houses/{house_id}/visitor-passes", "owner", "gate_ids", named("b_gate"), 404),
    ("POST /api/v1/houses/{house_id}/visitor-passes", "owner", "gate_ids", named("c_gate"), 404),
    ("POST /api/v1/houses/{house_id}/visitor-passes", "owner", "gate_ids", UNKNOWN, 404),
    ("POST /admin/v1/visitor-gates/{gate_id}/admissions", "admin", "pass_id", named("b_pass"), 404),
    ("POST /admin/v1/visitor-gates/{gate_id}/admissions", "admin", "pass_id", named("c_pass"), 404),
    ("POST /admin/v1/visitor-gates/{gate_id}/admissions", "admin", "pass_id", UNKNOWN, 404),
    ("POST /admin/v1/visitor-gates/{gate_id}/walk-ins", "admin", "house_id", named("b_house"), 404),
    ("POST /admin/v1/visitor-gates/{gate_id}/walk-ins", "admin", "house_id", named("c_house"), 404),
    ("POST /admin/v1/visitor-gates/{gate_id}/walk-ins", "admin", "house_id", UNKNOWN, 404),
    ("POST /admin/v1/goods-permits/{permit_id}/check-off", "admin", "gate_id", named("b_gate"), 404),
    ("POST /admin/v1/goods-permits/{permit_id}/check-off", "admin", "gate_id", named("c_gate"), 404),
    ("POST /admin/v1/goods-permits/{permit_id}/check-off", "admin", "gate_id", UNKNOWN, 404),
    ("POST /api/v1/visitor-passes/{pass_id}/codes", "owner", "gate_id", named("b_gate"), 404),
    ("POST /api/v1/visitor-passes/{pass_id}/codes", "owner", "gate_id", named("c_gate"), 404),
    ("POST /api/v1/visitor-passes/{pass_id}/codes", "owner", "gate_id", UNKNOWN, 404),
    ("POST /admin/v1/communities/{community_id}/notices", "admin", "media_ids", named("second_photo"), 422),
    ("POST /admin/v1/communities/{community_id}/notices", "admin", "media_ids", UNKNOWN, 422),
    ("PUT /admin/v1/notices/{notice_id}", "admin", "media_ids", named("second_photo"), 422),
    ("PUT /admin/v1/notices/{notice_id}", "admin", "media_ids", UNKNOWN, 422),
    ("POST /admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/open", "guard", "session_id", named("b_stay"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/open", "admin", "session_id", named("b_stay"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/open", "admin", "session_id", UNKNOWN, 404),
    ("POST /admin/v1/parking-stays/{session_id}/match", "guard", "candidate_id", named("b_stay"), 404),
    ("POST /admin/v1/parking-stays/{session_id}/match", "admin", "candidate_id", named("b_stay"), 404),
    ("POST /admin/v1/parking-stays/{session_id}/match", "admin", "candidate_id", UNKNOWN, 404),
    ("POST /api/v1/parking-quotes", "owner", "lot_id", named("b_lot"), 404),
    ("POST /api/v1/parking-quotes", "owner", "lot_id", named("c_lot"), 404),
    ("POST /api/v1/parking-quotes", "owner", "lot_id", UNKNOWN, 404),
    ("POST /api/v1/parking-cards/{card_id}/payments", "owner", "product_id", named("card_product"), 404),
    ("POST /api/v1/parking-cards/{card_id}/payments", "owner", "product_id", UNKNOWN, 404),
    ("POST /api/v1/parking-lots/{lot_id}/card-payments", "owner", "product_id", named("b_card_product"), 404),
    ("POST /api/v1/parking-lots/{lot_id}/card-payments", "owner", "house_id", named("next_house"), 404),
    ("POST /api/v1/parking-lots/{lot_id}/card-payments", "owner", "house_id", UNKNOWN, 404),
    ("POST /api/v1/parking-lots/{lot_id}/card-payments", "owner", "vehicle_ids", named("next_vehicle"), 404),
    ("POST /api/v1/parking-lots/{lot_id}/card-payments", "owner", "vehicle_ids", named("c_vehicle"), 404),
    ("POST /api/v1/parking-lots/{lot_id}/card-payments", "owner", "vehicle_ids", UNKNOWN, 404),
    ("POST /admin/v1/parking-cards/{card_id}/offers", "admin", "product_id", named("b_card_product"), 404),
    ("POST /admin/v1/parking-cards/{card_id}/offers", "admin", "product_id", UNKNOWN, 404),
    ("POST /admin/v1/parking-lots/{lot_id}/card-offers", "admin", "product_id", named("b_card_product"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/card-offers", "admin", "house_id", named("b_house"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/card-offers", "admin", "house_id", UNKNOWN, 404),
    ("POST /admin/v1/parking-spaces/{space_id}/assign", "admin", "house_id", named("b_house"), 404),
    ("POST /admin/v1/parking-spaces/{space_id}/assign", "admin", "house_id", UNKNOWN, 404),
    ("POST /api/v1/parking-applications/spaces", "owner", "house_id", named("next_house"), 404),
    ("POST /api/v1/parking-applications/spaces", "owner", "house_id", UNKNOWN, 404),
    ("POST /api/v1/parking-applications/spaces", "owner", "space_id", UNKNOWN, 404),
    ("POST /api/v1/parking-applications/vehicles", "owner", "house_id", named("next_house"), 404),
    ("POST /api/v1/parking-applications/vehicles", "owner", "house_id", UNKNOWN, 404),
    ("POST /api/v1/parking-applications/vehicles", "owner", "lot_id", named("b_lot"), 404),
    ("POST /api/v1/parking-applications/vehicles", "owner", "lot_id", UNKNOWN, 404),
    ("POST /admin/v1/parking-lots/{lot_id}/shops", "manager", "house_id", named("b_house"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/shops", "admin", "house_id", named("c_house"), 404),
    ("POST /admin/v1/parking-lots/{lot_id}/shops", "admin", "house_id", UNKNOWN, 404),
    ("POST /api/v1/parking-coupons", "owner", "lot_id", named("b_lot"), 404),
    ("POST /api/v1/parking-coupons", "owner", "lot_id", named("c_lot"), 404),
    ("POST /api/v1/parking-coupons", "owner", "lot_id", UNKNOWN, 404),
    ("POST /api/v1/houses/{house_id}/tickets", "owner", "category_id", named("b_ticket_category"), 404),
    ("POST /api/v1/houses/{house_id}/tickets", "owner", "category_id", named("c_ticket_category"), 404),
    ("POST /api/v1/houses/{house_id}/tickets", "owner", "category_id", UNKNOWN, 404),
    ("POST /admin/v1/tickets/{ticket_id}/triage", "admin", "category_id", named("b_ticket_category"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/triage", "admin", "category_id", named("c_ticket_category"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/triage", "admin", "category_id", UNKNOWN, 404),
    ("POST /admin/v1/tickets/{ticket_id}/merge", "admin", "into_id", named("b_ticket"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/merge", "admin", "into_id", named("c_ticket"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/merge", "admin", "into_id", UNKNOWN, 404),
    ("POST /admin/v1/tickets/{ticket_id}/assign", "admin", "staff_id", named("staff_neighbour"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/assign", "admin", "staff_id", named("staff_rival"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/assign", "admin", "staff_id", UNKNOWN, 404),
    ("POST /admin/v1/tickets/{ticket_id}/transfer", "admin", "staff_id", named("staff_neighbour"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/transfer", "admin", "staff_id", named("staff_rival"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/transfer", "admin", "staff_id", UNKNOWN, 404),
    ("POST /api/v1/houses/{house_id}/complaints", "owner", "category_id", named("c_ticket_category"), 404),
    ("POST /api/v1/houses/{house_id}/complaints", "owner", "category_id", UNKNOWN, 404),
    ("POST /admin/v1/complaints", "manager", "community_id", named("b"), 404),
    ("POST /admin/v1/complaints", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/complaints", "admin", "community_id", COMPANY, 404),
    ("POST /admin/v1/complaints", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/complaints", "admin", "house_id", named("b_house"), 404),
    ("POST /admin/v1/complaints", "admin", "house_id", named("c_house"), 404),
    ("POST /admin/v1/complaints", "admin", "house_id", UNKNOWN, 404),
    ("POST /admin/v1/complaints", "admin", "category_id", named("b_ticket_category"), 404),
    ("POST /admin/v1/complaints", "admin", "category_id", named("c_complaint_category"), 404),
    ("POST /admin/v1/complaints", "admin", "category_id", UNKNOWN, 404),
    ("POST /admin/v1/tickets/{ticket_id}/cause", "admin", "cause_id", named("c_complaint_category_cause"), 404),
    ("POST /admin/v1/tickets/{ticket_id}/cause", "admin", "cause_id", UNKNOWN, 404),
    ("PUT /admin/v1/complaint-policy", "admin", "dispute_category_id", named("c_complaint_category"), 404),
    ("PUT /admin/v1/complaint-policy", "admin", "dispute_category_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-prices", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/ticket-prices", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-stock", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/ticket-stock", "admin", "community_id", COMPANY, 404),
    ("POST /admin/v1/ticket-stock", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-stock", "admin", "staff_id", named("staff_neighbour"), 404),
    ("POST /admin/v1/ticket-stock", "admin", "staff_id", named("staff_rival"), 404),
    ("POST /admin/v1/ticket-stock", "admin", "staff_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-stock/{place_id}/receipts", "admin", "item_id", named("b_repair_item"), 404),
    ("POST /admin/v1/ticket-stock/{place_id}/receipts", "admin", "item_id", named("c_repair_item"), 404),
    ("POST /admin/v1/ticket-stock/{place_id}/receipts", "admin", "item_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-stock/{place_id}/transfers", "admin", "to_id", named("b_repair_store"), 404),
    ("POST /admin/v1/ticket-stock/{place_id}/transfers", "admin", "to_id", named("c_repair_store"), 404),
    ("POST /admin/v1/ticket-stock/{place_id}/transfers", "admin", "to_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-stock/{place_id}/transfers", "admin", "item_id", named("b_repair_item"), 404),
    ("POST /admin/v1/ticket-stock/{place_id}/transfers", "admin", "item_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-stock/{place_id}/returns", "admin", "ticket_id", named("b_ticket"), 404),
    ("POST /admin/v1/ticket-stock/{place_id}/returns", "admin", "ticket_id", named("c_ticket"), 404),
    ("POST /admin/v1/ticket-stock/{place_id}/returns", "admin", "ticket_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-stock/{place_id}/returns", "admin", "item_id", named("b_repair_item"), 404),
    ("POST /admin/v1/ticket-stock/{place_id}/returns", "admin", "item_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-categories", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/ticket-categories", "admin", "community_id", COMPANY, 404),
    ("POST /admin/v1/ticket-categories", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-categories", "admin", "parent_id", named("c_ticket_category"), 404),
    ("POST /admin/v1/ticket-categories", "admin", "parent_id", UNKNOWN, 404),
    ("POST /admin/v1/billing-runs", "manager", "item_id", named("b_item"), 404),
    ("POST /admin/v1/billing-runs", "admin", "item_id", named("c_item"), 404),
    ("POST /admin/v1/billing-runs", "admin", "item_id", UNKNOWN, 404),
    ("POST /admin/v1/billing-runs", "manager", "house_id", named("b_house"), 404),
    ("POST /admin/v1/billing-runs", "admin", "house_id", named("c_house"), 404),
    ("PUT /admin/v1/message-templates", "admin", "appid", lambda world: "wx0ff1c1a1acc00999", 404),
    ("PUT /admin/v1/message-templates", "admin", "appid", lambda world: "wxunknown", 404),
    ("PUT /admin/v1/quiet-hours", "admin", "community_id", named("c"), 404),
    ("PUT /admin/v1/quiet-hours", "admin", "community_id", COMPANY, 404),
    ("PUT /admin/v1/quiet-hours", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/merchants", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/merchants", "admin", "community_id", COMPANY, 404),
    ("POST /admin/v1/merchants", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/merchants", "admin", "item_id", named("b_item"), 404),
    ("POST /admin/v1/merchants", "admin", "item_id", named("c_item"), 404),
    ("POST /admin/v1/merchants", "admin", "item_id", UNKNOWN, 404),
    ("POST /api/v1/prepaid/top-ups", "owner", "house_id", named("b_house"), 404),
    ("POST /api/v1/prepaid/top-ups", "owner", "house_id", named("c_house"), 404),
    ("POST /api/v1/prepaid/top-ups", "owner", "house_id", UNKNOWN, 404),
    ("POST /admin/v1/prepaid-accounts", "manager", "house_id", named("b_house"), 404),
    ("POST /admin/v1/prepaid-accounts", "admin", "house_id", named("c_house"), 404),
    ("POST /admin/v1/prepaid-accounts", "admin", "house_id", UNKNOWN, 404),
    ("POST /admin/v1/collection/pause", "manager", "community_id", named("b"), 404),
    ("POST /admin/v1/collection/pause", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/collection/pause", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/collection/resume", "manager", "community_id", named("b"), 404),
    ("POST /admin/v1/collection/resume", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/collection/resume", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/reconciliation-runs", "admin", "merchant_id", named("c_merchant"), 404),
    ("POST /admin/v1/reconciliation-runs", "admin", "merchant_id", UNKNOWN, 404),
    ("POST /admin/v1/counter/shifts", "manager", "community_id", named("b"), 404),
    ("POST /admin/v1/counter/shifts", "admin", "community_id", named("c"), 404),
    ("POST /admin/v1/counter/shifts", "admin", "community_id", COMPANY, 404),
    ("POST /admin/v1/counter/shifts", "admin", "community_id", UNKNOWN, 404),
    ("POST /admin/v1/counter/deposits", "manager", "shift_id", named("b_shift"), 404),
    ("POST /admin/v1/counter/deposits", "admin", "shift_id", named("c_shift"), 404),
    ("POST /admin/v1/counter/deposits", "admin", "shift_id", UNKNOWN, 404),
    ("POST /api/v1/houses/{house_id}/tickets", "owner", "building_id", named("b_building"), 404),
    ("POST /api/v1/houses/{house_id}/tickets", "owner", "building_id", named("c_building"), 404),
    ("POST /api/v1/houses/{house_id}/tickets", "owner", "building_id", UNKNOWN, 404),
    ("POST /api/v1/houses/{house_id}/complaints", "owner", "media_ids", named("second_photo"), 422),
    ("POST /api/v1/houses/{house_id}/complaints", "owner", "media_ids", UNKNOWN, 422),
    ("POST /api/v1/houses/{house_id}/tickets", "owner", "media_ids", named("second_photo"), 422),
    ("POST /api/v1/houses/{house_id}/tickets", "owner", "media_ids", UNKNOWN, 422),
    ("POST /api/v1/tickets/{ticket_id}/reopen", "owner", "media_ids", named("second_photo"), 422),
    ("POST /api/v1/tickets/{ticket_id}/reopen", "owner", "media_ids", UNKNOWN, 422),
    ("POST /admin/v1/tickets/{ticket_id}/arrive", "engineer", "media_ids", named("second_photo"), 422),
    ("POST /admin/v1/tickets/{ticket_id}/arrive", "engineer", "media_ids", UNKNOWN, 422),
    ("POST /admin/v1/tickets/{ticket_id}/done", "engineer", "media_ids", named("second_photo"), 422),
    ("POST /admin/v1/tickets/{ticket_id}/done", "engineer", "media_ids", UNKNOWN, 422),
    ("POST /admin/v1/tickets/{ticket_id}/return", "engineer", "media_ids", named("second_photo"), 422),
    ("POST /admin/v1/tickets/{ticket_id}/return", "engineer", "media_ids", UNKNOWN, 422),
    ("POST /admin/v1/tickets/{ticket_id}/pause", "engineer", "media_ids", named("second_photo"), 422),
    ("POST /admin/v1/tickets/{ticket_id}/pause", "engineer", "media_ids", UNKNOWN, 422),
    ("POST /admin/v1/tickets/{ticket_id}/hold", "admin", "media_ids", named("second_photo"), 422),
    ("POST /admin/v1/tickets/{ticket_id}/hold", "admin", "media_ids", UNKNOWN, 422),
    (
        "POST /admin/v1/communities/{community_id}/ticket-outages",
        "admin",
        "category_id",
        named("b_ticket_category"),
        404,
    ),
    (
        "POST /admin/v1/communities/{community_id}/ticket-outages",
        "admin",
        "category_id",
        named("c_ticket_category"),
        404,
    ),
    ("POST /admin/v1/communities/{community_id}/ticket-outages", "admin", "category_id", UNKNOWN, 404),
    ("POST /admin/v1/communities/{community_id}/ticket-outages", "admin", "building_id", named("b_building"), 404),
    ("POST /admin/v1/communities/{community_id}/ticket-outages", "admin", "building_id", named("c_building"), 404),
    ("POST /admin/v1/communities/{community_id}/ticket-outages", "admin", "building_id", UNKNOWN, 404),
    ("POST /admin/v1/ticket-outages/{outage_id}/tickets", "admin", "ticket_ids", named("b_ticket"), 404),
    ("POST /admin/v1/ticket-outages/{outage_id}/tickets", "admin", "ticket_ids", named("c_ticket"), 404),
    ("POST /admin/v1/ticket-outages/{outage_id}/tickets", "admin", "ticket_ids", UNKNOWN, 404),
    (
        "POST /admin/v1/communities/{community_id}/ticket-duty/exceptions",
        "admin",
        "staff_id",
        named("staff_neighbour"),
        404,
    ),
    (
        "POST /admin/v1/communities/{community_id}/ticket-duty/exceptions",
        "admin",
        "staff_id",
        named("staff_rival"),
        404,
    ),
    ("POST /admin/v1/communities/{community_id}/ticket-duty/exceptions", "admin", "staff_id", UNKNOWN, 404),
    (
        "PUT /admin/v1/communities/{community_id}/ticket-workers/{staff_id}",
        "admin",
        "category_ids",
        named("b_ticket_category"),
        404,
    ),
    (
        "PUT /admin/v1/communities/{community_id}/ticket-workers/{staff_id}",
        "admin",
        "category_ids",
        named("c_ticket_category"),
        404,
    ),
    ("PUT /admin/v1/communities/{community_id}/ticket-workers/{staff_id}", "admin", "category_ids", UNKNOWN, 404),
    (
        "PUT /admin/v1/communities/{community_id}/ticket-workers/{staff_id}",
        "admin",
        "building_ids",
        named("b_building"),
        404,
    ),
    (
        "PUT /admin/v1/communities/{community_id}/ticket-workers/{staff_id}",
        "admin",
        "building_ids",
        named("c_building"),
        404,
    ),
    ("PUT /admin/v1/communities/{community_id}/ticket-workers/{staff_id}", "admin", "building_ids", UNKNOWN, 404),
    ("PUT /admin/v1/ticket-handling", "admin", "category_id", named("c_ticket_category"), 404),
    ("PUT /admin/v1/ticket-handling", "admin", "category_id", UNKNOWN, 404),
]


@pytest.mark.parametrize(("key", "name", "field", "value", "status"), FOREIGN_IDS)
async def test_foreign_and_unknown_ids_in_bodies_are_refused_alike(
    world: World, key: str, name: str, field: str, value: Callable[[World], object], status: int
) -> None:
    who = world.who[name]
    prepared = _with(field, value, wrap=field.endswith("_ids"))(world, await REQUESTS[key](world, who))
    error = await refused(world, key, who, prepared, status)
    refused_as = "media_unusable" if field == "media_ids" else "house_unclear"
    assert error["code"] == ("not_found" if status == 404 else refused_as)


async def test_a_foreign_message_is_not_sent_again(world: World) -> None:
    key, foreign = "POST /admin/v1/communities/{community_id}/messages/retry", await parked_message(world, "b")
    await world.witness.take()
    sent = Prepared(f"/admin/v1/communities/{world.a.id}/messages/retry", {"message_id": str(foreign)})
    answer = await ask(world, route_of(key), sent, world.who["service"])
    assert (answer.status, answer.json) == (200, {"count": 0})
    assert await world.witness.take() == []


@pytest.mark.parametrize(
    ("path", "name", "status"),
    [
        ("/admin/v1/trial-balance?community_id={b}", "manager", 404),
        ("/admin/v1/trial-balance?community_id={c}", "admin", 404),
        ("/admin/v1/trial-balance?community_id={company}", "admin", 404),
        ("/admin/v1/fee-items?community_id={b}", "manager", 200),
        ("/admin/v1/fee-items?community_id={c}", "admin", 200),
        ("/admin/v1/billing-runs?community_id={b}", "manager", 200),
        ("/admin/v1/billing-runs?item_id={c_item}", "admin", 200),
        ("/admin/v1/parking-cards?house_id={b_house}", "manager", 200),
        ("/admin/v1/parking-cards?house_id={c_house}", "admin", 200),
        ("/admin/v1/counter/due?house_id={b_house}", "manager", 200),
        ("/admin/v1/counter/due?house_id={c_house}", "admin", 200),
        ("/admin/v1/counter/due?person_id={b_person}", "manager", 200),
        ("/admin/v1/counter/due?person_id={c_person}", "admin", 200),
        ("/admin/v1/tickets?house_id={b_house}", "manager", 200),
        ("/admin/v1/tickets?category_id={c_ticket_category}", "admin", 200),
        ("/admin/v1/tickets?staff_id={staff_rival}", "admin", 200),
        ("/admin/v1/ticket-figures?starts_on=2026-09-01&ends_on=2026-10-01&community_id={b}", "manager", 404),
        ("/admin/v1/ticket-figures?starts_on=2026-09-01&ends_on=2026-10-01&community_id={c}", "admin", 404),
        ("/admin/v1/bills?house_id={b_house}", "manager", 200),
        ("/admin/v1/bills?house_id={c_house}", "admin", 200),
        ("/admin/v1/audit?actor_id={staff_rival}", "admin", 200),
        ("/admin/v1/audit?target=marker:c", "admin", 200),
    ],
)
async def test_foreign_ids_in_queries_find_nothing(world: World, path: str, name: str, status: int) -> None:
    answer = await world.client.of(world.who[name].token).get(path.format_map(world.ids))
    assert answer.status == status, answer.body
    assert world.mentioned(answer.body.decode()) == set()
    if status == 200:
        assert answer.json["items"] == []


async def test_two_communities_are_not_paid_in_one_order(world: World) -> None:
    ours, theirs = await fresh.bill(world), world.ids["b_bill"]
    body = {"bill_ids": [str(ours), str(theirs)]}
    key = "POST /api/v1/payments"
    error = await refused(world, key, world.who["owner"], Prepared("/api/v1/payments", body), 404)
    assert error["code"] == "not_found"


@pytest.mark.parametrize("key", ["POST /admin/v1/counter/takings", "POST /admin/v1/counter/codes"])
@pytest.mark.parametrize("bill", [named("b_bill"), named("c_bill"), named("draft_bill"), UNKNOWN])
@pytest.mark.parametrize("kind", ["bill", "prepaid"])
async def test_foreign_and_unknown_things_are_not_paid_at_the_counter(
    world: World, key: str, bill: Callable[[World], object], kind: str
) -> None:
    who = world.who["cashier"]
    prepared = await REQUESTS[key](world, who)
    body = {**prepared.body, "lines": [{"kind": kind, "id": str(bill(world)), "amount_fen": 5_000}]}
    assert (await refused(world, key, who, Prepared(prepared.path, body), 404))["code"] == "not_found"


async def test_a_prepaid_account_of_another_community_is_not_topped_up_at_the_counter(world: World) -> None:
    key, who = "POST /admin/v1/counter/takings", world.who["admin"]
    prepared = await REQUESTS[key](world, who)
    line = {"kind": "prepaid", "id": str(world.ids["b_prepaid"]), "amount_fen": 5_000}
    body = {**prepared.body, "lines": [line], "amount_fen": 5_000}
    assert (await refused(world, key, who, Prepared(prepared.path, body), 404))["code"] == "not_found"


# Names that WeChat has given, of no row of ours.
WECHATS_OWN = ("template_id", "original_id")


def test_every_id_that_a_body_carries_is_in_the_list_above() -> None:
    """A field that names a row, in any body, is tried with the ids of others."""
    tried = {(key, field) for key, _, field, _, _ in FOREIGN_IDS}
    tried.add(("POST /admin/v1/communities/{community_id}/messages/retry", "message_id"))
    for key in WITH_BODY:
        route: Route = ROWS[key]
        assert route.body is not None
        for field in route.body.model_fields:
            if re.search(r"_ids?$", field) and field not in WECHATS_OWN:
                assert (key, field) in tried, (key, field)
