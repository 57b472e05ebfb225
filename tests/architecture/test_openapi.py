"""The API described: complete for every route, true to its models, the same as the file that is reviewed (S18)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from backend.composition import ROUTES
from backend.kernel.auth import PUBLIC
from backend.kernel.http import Route
from backend.openapi_file import FILE, document

DOCUMENT: dict[str, Any] = json.loads(document())
# Pages, files and acknowledgements: what they answer is no model.
WITHOUT_MODEL = {
    "GET /",
    "GET /metrics",
    "GET /openapi.json",
    "GET /docs",
    "GET /files/{folder}/{name}",
    "GET /files/{folder}/{part}/{name}",
    "GET /admin/v1/roster-template",
    "GET /admin/v1/houses/{house_id}/pay-code.svg",
    "GET /admin/v1/communities/{community_id}/pay-code-sheet",
    "POST /device/v1/cameras/{vendor}/{device_id}/{key}",
    "GET /api/v1/parking-lots/{lot_id}/free-spaces",
    "GET /admin/v1/parking-lots/{lot_id}/figures.xlsx",
    "GET /api/v1/visitor-passes/{pass_id}/code.png",
    "GET /admin/v1/ticket-figures.xlsx",
    "GET /admin/v1/tickets/{ticket_id}/paper",
    "GET /p/login/{appid}",
    "GET /p/login/{appid}/return",
    "GET /p/{pay_code}",
    "GET /p/{pay_code}/wechat",
    "POST /p/{pay_code}/orders",
    "GET /p/lanes/{lane_code}",
    "GET /p/lanes/{lane_code}/wechat",
    "POST /p/lanes/{lane_code}/plate",
    "POST /p/lanes/{lane_code}/orders",
    "POST /p/lanes/{lane_code}/enter",
    "POST /p/lanes/{lane_code}/leave",
    "GET /admin/v1/parking-lots/{lot_id}/lanes/{lane_id}/scan-code.svg",
    "GET /admin/v1/counter/shifts/{shift_id}/paper",
    "GET /admin/v1/receipts/{receipt_id}/paper",
    "GET /api/v1/payments/{payment_id}/receipt/paper",
    "POST /pay/notify/wechat/{merchant_id}",
    "POST /pay/notify/wechat/{merchant_id}/refund",
    "POST /pay/notify/alipay/{merchant_id}",
    "GET /wechat/{account}",
    "POST /wechat/{account}",
}


def key(route: Route) -> str:
    return f"{route.method} {route.path}"


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The node, or what it refers to."""
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_file_is_the_document() -> None:
    assert FILE.read_bytes() == document(), "docs/openapi.json differs from the routes: run `make openapi`"


def test_every_route_is_in_the_document_and_every_reference_leads_somewhere() -> None:
    described = {f"{verb.upper()} {path}" for path, verbs in DOCUMENT["paths"].items() for verb in verbs}
    assert described == {key(route) for route in ROUTES}
    assert len({operation(route)["operationId"] for route in ROUTES}) == len(ROUTES)
    for reference in set(references(DOCUMENT)):
        assert resolved({"$ref": reference})


@pytest.mark.parametrize("route", ROUTES, ids=key)
def test_body_and_answer_have_examples_that_their_models_take(route: Route) -> None:
    told = operation(route)
    assert told["summary"]
    if route.body is not None:
        example = told["requestBody"]["content"]["application/json"]["example"]
        route.body.model_validate_json(json.dumps(example))
    if route.answer is None:
        assert key(route) in WITHOUT_MODEL
        return
    example = told["responses"][str(route.status)]["content"]["application/json"]["example"]
    route.answer.model_validate_json(json.dumps(example))


@pytest.mark.parametrize("route", ROUTES, ids=key)
def test_every_refusal_has_its_codes_with_examples(route: Route) -> None:
    told = operation(route)["responses"]
    expected = {"400", "500", "503"}
    expected |= {"401", "403"} if route.permission != PUBLIC else set()
    expected |= {"404"} if "_id}" in route.path else set()
    expected |= {"422"} if route.body is not None or route.query is not None else set()
    expected |= {"409"} if route.creates else set()
    expected |= {"429"} if route.rate is not None else set()
    expected |= {"413"} if route.body is not None or route.upload_bytes is not None else set()
    assert expected <= set(told)
    for status in set(told) - {str(route.status)}:
        examples = resolved(told[status])["content"]["application/json"]["examples"]
        assert examples
        for code, example in examples.items():
            assert example["value"]["error"]["code"] == code
            assert set(example["value"]["error"]) == {"code", "message", "request_id", "details"}


@pytest.mark.parametrize("route", ROUTES, ids=key)
def test_parameters_are_described_and_a_public_route_says_so(route: Route) -> None:
    told = operation(route)
    assert (told["security"] == []) == (route.permission == PUBLIC)
    assert told["x-permission"] == route.permission
    names = {parameter["name"] for parameter in told["parameters"]}
    assert {part[1:-1] for part in route.path.split("/") if part.startswith("{")} <= names
    assert set(route.query.model_fields if route.query else ()) <= names
    assert ("Idempotency-Key" in names) == route.creates
    for parameter in told["parameters"]:
        assert parameter["schema"]
