"""Every route and every kind of principal: who is let in, whose rows come back, what changes, what does not (I-23).

The expected answers stand in matrix.py, written by hand. Reading routes are asked first, so that what writing routes
leave behind cannot blur what a list should show.
"""

import re
from dataclasses import replace
from uuid import uuid4

import pytest

from backend.composition import ROUTES
from backend.kernel.http import Route
from tests.conftest import Answered
from tests.security import (
    requests_account,
    requests_complaints,
    requests_counter,
    requests_devices,
    requests_gates,
    requests_lanes,
    requests_media,
    requests_messages,
    requests_money,
    requests_notices,
    requests_parking,
    requests_parking_cards,
    requests_prepaid,
    requests_reconcile,
    requests_refunds,
    requests_repairs,
    requests_resident,
    requests_staff,
    requests_tariffs,
    requests_ticket_dispatch,
    requests_tickets,
    requests_visitors,
    requests_web,
)
from tests.security.matrix import COLUMNS, MATRIX, Row
from tests.security.prepared import REQUESTS, Prepared
from tests.security.world import PRINCIPALS, SIDES, Who, World

REGISTERED = (
    requests_account,
    requests_complaints,
    requests_counter,
    requests_devices,
    requests_gates,
    requests_lanes,
    requests_media,
    requests_messages,
    requests_money,
    requests_notices,
    requests_parking,
    requests_parking_cards,
    requests_prepaid,
    requests_reconcile,
    requests_refunds,
    requests_repairs,
    requests_resident,
    requests_staff,
    requests_tariffs,
    requests_ticket_dispatch,
    requests_tickets,
    requests_visitors,
    requests_web,
)
DENIED = {"1": 401, "3": 403, "4": 404}
BY_KEY = {f"{route.method} {route.path}": route for route in ROUTES}
KEYS = sorted(MATRIX, key=lambda key: (bool(MATRIX[key].writes), list(MATRIX).index(key)))
# The probe of the callback must not say what was wrong with it, and a page is no data.
NOT_OURS = (
    "POST /pay/notify/wechat/{merchant_id}",
    "POST /pay/notify/wechat/{merchant_id}/refund",
    "POST /pay/notify/alipay/{merchant_id}",
    "GET /wechat/{account}",
    "POST /wechat/{account}",
)


# Pages for people, whose refusals are pages too; tests/api/scan says what they show.
PAGES = tuple(key for key in KEYS if key.split(" ")[1].startswith("/p/"))


def route_of(key: str) -> Route:
    return BY_KEY[key.split(" #")[0]]


def test_the_table_and_the_routes_name_each_other() -> None:
    assert {key.split(" #")[0] for key in MATRIX} == set(BY_KEY), "every route stands in tests/security/matrix.py"
    assert set(MATRIX) == set(REQUESTS), "every row of the matrix has a request, and the other way round"
    assert set(COLUMNS) == set(PRINCIPALS) == set(SIDES)


@pytest.mark.parametrize("key", KEYS)
def test_a_route_declares_what_the_table_says(key: str) -> None:
    route, row = route_of(key), MATRIX[key]
    assert (route.permission, route.status) == (row.permission, row.status)


async def ask(world: World, route: Route, prepared: Prepared, who: Who) -> Answered:
    client = world.client.of(prepared.token or who.token)
    headers = {"Idempotency-Key": uuid4().hex, **prepared.headers} if route.method == "POST" else dict(prepared.headers)
    return await client.call(route.method, prepared.path, prepared.body, headers=headers, raw=prepared.raw)


async def problems_of_cell(world: World, key: str, who: Who, prepared: Prepared) -> list[str]:
    """What is wrong with one cell; empty when all is well."""
    row, route = MATRIX[key], route_of(key)
    answer = await ask(world, route, prepared, who)
    text = answer.body.decode(errors="replace")
    changes = await world.witness.take()
    mark = row.cells[who.name]
    expected = DENIED.get(mark, row.status)
    if answer.status != expected:
        return [f"answered {answer.status}, not {expected}: {text[:300]}"]
    if told := [secret for secret in world.secrets if secret in text]:
        return [f"the answer tells {told}"]
    if mark in DENIED:
        found = [f"refused, yet changed {sorted({change.table for change in changes})}"] if changes else []
        if key not in (*NOT_OURS, *PAGES) and set(answer.json) != {"error"}:
            found.append(f"the refusal says more than an error: {text[:200]}")
        return found + [f"the refusal mentions {name}" for name in world.mentioned(text)]
    found = [f"the answer lacks {shown}" for shown in prepared.shows if str(shown) not in text]
    if not row.writes:
        return found + _of_reading(world, row, who, text, [change.table for change in changes])
    written = "\n".join(change.text for change in changes)
    if {change.table for change in changes} != row.writes:
        found.append(f"changed {sorted({change.table for change in changes})}, not {sorted(row.writes)}")
    found += [f"no changed row mentions {target}" for target in prepared.touches if str(target) not in written]
    for what, content in (("answer", text), ("change", written)):
        foreign = {name for name in world.mentioned(content) if world.sides[name] not in SIDES[who.name] | {who.name}}
        foreign -= {name for name in foreign if world.ids.get(name) in prepared.touches}
        if foreign:
            found.append(f"the {what} mentions {sorted(foreign)}")
    return found


def _of_reading(world: World, row: Row, who: Who, text: str, changed: list[str]) -> list[str]:
    found = [f"a reading route changed {changed}"] if changed else []
    mentioned, expected = world.mentioned(text), row.mentions[who.name]
    if mentioned != expected:
        found.append(f"shows too much: {sorted(mentioned - expected)}; too little: {sorted(expected - mentioned)}")
    return found


@pytest.mark.parametrize("key", KEYS)
async def test_each_principal_gets_what_the_table_says(world: World, key: str) -> None:
    wrong, refused = [], None
    for name in COLUMNS:
        who, may = world.who[name], MATRIX[key].cells[name] in "Yo"
        # What was only refused is still there for the next one to be refused.
        prepared = refused if refused is not None and not may else await REQUESTS[key](world, who)
        refused = None if may or "own proposal" in key else replace(prepared, token=None)
        await world.witness.take()
        wrong += [f"{name}: {problem}" for problem in await problems_of_cell(world, key, who, prepared)]
    assert not wrong, key + "\n" + "\n".join(wrong)


def _strange_paths(route: Route, path: str) -> list[str]:
    """The path with each id replaced by an unknown one and by what is no id at all."""
    bare, _, query = path.partition("?")
    found = []
    parts = bare.split("/")
    for position, part in enumerate(route.path.split("/")):
        if not re.fullmatch(r"\{\w+\}", part):
            continue
        strange = (str(uuid4()), "not-an-id", "0" * 36, "999999999", "%00", "1' OR '1'='1")
        for value in strange:
            found.append("/".join([*parts[:position], value, *parts[position + 1 :]]) + (f"?{query}" if query else ""))
    return found


# Keys of rows with an id in the path that somebody may use; foreign ids have their own cells.
WITH_IDS = [
    key
    for key in KEYS
    if "{" in key and set(MATRIX[key].cells.values()) & {"Y"} and " #" not in key and key not in PAGES
]


@pytest.mark.parametrize("key", WITH_IDS)
async def test_unknown_and_malformed_ids_answer_like_foreign_ones(world: World, key: str) -> None:
    route, row = route_of(key), MATRIX[key]
    who = world.who[next(name for name in reversed(COLUMNS) if row.cells[name] == "Y")]
    foreigner = next((world.who[name] for name in reversed(COLUMNS) if row.cells[name] == "4"), None)
    prepared = await REQUESTS[key](world, who)
    foreign = None
    if foreigner is not None:
        foreign = (await ask(world, route, await REQUESTS[key](world, foreigner), foreigner)).json
    await world.witness.take()
    for path in _strange_paths(route, prepared.path):
        sent = replace(prepared, path=path)
        answer = await ask(world, route, sent, who)
        assert answer.status == 404, (path, answer.status, answer.body)
        told = answer.json
        assert set(told) == {"error"} and set(told["error"]) == {"code", "message", "request_id", "details"}, told
        if foreign is not None:
            for name in ("code", "message", "details"):
                assert told["error"][name] == foreign["error"][name], (path, told, foreign)
    assert await world.witness.take() == []
