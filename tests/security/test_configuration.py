"""Start-up and surface: nothing starts undeclared, live mode shows and takes nothing of the sandbox (API8, API9)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sanic import Sanic

from backend.composition import ROUTES
from backend.devices import signing
from backend.identity.principals import authenticate
from backend.kernel import edge, failpoints
from backend.kernel.config import Mode, Settings
from backend.kernel.edge import Doors
from backend.kernel.errors import Unavailable
from backend.kernel.http import Route
from backend.kernel.resources import Resources
from payments import merchant_keys
from tests import factories, factories_payments, vectors
from tests.conftest import Client, Sandbox
from tests.served_app import serve, stop

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@asynccontextmanager
async def live(res: Resources) -> AsyncIterator[Client]:
    """The same product, told that it is live; its settings are checked by another test."""
    settings = res.settings.model_copy(update={"mode": Mode.LIVE})
    app, server, session = await serve(replace(res, settings=settings))
    try:
        yield Client(res.settings.public_url, session)
    finally:
        await stop(app, server, session)


async def anything(_call: Any) -> Any:
    raise AssertionError("never called")


@pytest.mark.parametrize("permission", ["", None])
def test_a_route_without_a_permission_does_not_start(res: Resources, permission: Any) -> None:
    route = Route("GET", "/api/v1/secret", anything, permission, "forgotten")
    with pytest.raises(ValueError, match="declares no permission"):
        edge.attach(Sanic(f"t_{uuid4().hex}"), (route,), res, Doors(authenticate, signing.verify, signing.spend))


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json"])
async def test_live_mode_has_no_pages_for_developers(res: Resources, path: str) -> None:
    async with live(res) as client:
        answer = await client.get(path)
    assert (answer.status, answer.code) == (404, "no_such_route")


@pytest.mark.parametrize(("address", "status"), [("8.8.8.8", 404), ("not an address", 404), ("10.0.0.7", 200)])
async def test_live_mode_shows_its_figures_inside_the_own_network_alone(
    res: Resources, address: str, status: int
) -> None:
    behind = replace(res, settings=res.settings.model_copy(update={"trusted_proxies": 1}))
    async with live(behind) as client:
        answer = await client.get("/metrics", headers={"X-Forwarded-For": address})
    assert answer.status == status


async def test_live_mode_answers_like_an_unknown_address(res: Resources) -> None:
    async with live(res) as client:
        docs, unknown = await client.get("/docs"), await client.get("/nowhere")
        assert (await client.get("/healthz")).status == 200
    for answer in (docs, unknown):
        answer.json["error"].pop("request_id")
    assert docs.json["error"]["message"] == unknown.json["error"]["message"]


@pytest.mark.parametrize(
    "change",
    [
        {"wechat_api_url": "http://127.0.0.1:8090"},
        {"wechat_open_url": "https://127.0.0.1:8090"},
        {"wechat_mp_url": "https://127.0.0.1:8090"},
        {"more_urls": "https://pay.example.com,http://wuye.example.com"},
        {"wechat_pay_url": "https://127.0.0.1:8090"},
        {"wechat_pay_url": "https://localhost"},
        {"wechat_pay_url": "https://[::1]"},
        {"alipay_url": "https://127.0.0.1:8090"},
        {"alipay_url": "https://openapi-sandbox.dl.alipaydev.com"},
        {"public_url": "http://wuye.example.com"},
        {"failpoints": "order.before_commit=raise"},
        {"master_key": None},
        {"database_url": None},
        {"redis_url": None},
    ],
)
def test_live_mode_refuses_addresses_and_means_of_the_sandbox(change: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "mode": "live",
        "master_key": "0" * 64,
        "database_url": "postgresql://a@db/linli",
        "redis_url": "redis://cache",
        "public_url": "https://wuye.example.com",
    }
    assert Settings.model_validate(right).mode is Mode.LIVE
    with pytest.raises(ValidationError):
        Settings.model_validate({**right, **change})


async def test_live_mode_takes_no_key_of_the_sandbox(sandbox_res: Resources, sandbox: Sandbox) -> None:
    """Neither by a new merchant, nor by new keys, nor from a database that was played with before."""
    res = sandbox_res
    place = await factories.community(res)
    merchant_id = await factories_payments.merchant(res, sandbox, place)
    platform = await res.db.fetchval("SELECT platform_keys FROM merchant WHERE id = $1", merchant_id)
    assert all(serial.startswith(merchant_keys.SANDBOX_KEY) for serial in platform)
    admin = await factories.staff(res, place, "administrator", all_communities=True)
    keys = {
        "serial_no": vectors.MERCHANT_SERIAL, "private_key_pem": vectors.private_pem(vectors.key_m()),
        "api_v3_key": factories_payments.API_V3_KEY, "platform_keys": platform,
    }  # fmt: skip
    created = {
        "community_id": str(place.id), "mchid": vectors.MCHID, "appid": factories.APPID, "name": "沙箱", "keys": keys,
    }  # fmt: skip
    async with live(res) as client:
        mine = client.of(admin.token)
        for path, body in (
            ("/admin/v1/merchants", created),
            (f"/admin/v1/merchants/{merchant_id}/keys", {"keys": keys, "reason": "换密钥"}),
        ):
            answer = await mine.post(path, body)
            assert (answer.status, answer.code) == (422, "sandbox_key"), answer.body
        told = await client.post(f"/pay/notify/wechat/{merchant_id}", {})
        assert told.status == Unavailable.status
    assert await res.db.fetchval("SELECT count(*) FROM merchant") == 1
    assert await res.db.fetchval("SELECT count(*) FROM approval") == 0


async def test_every_answer_carries_the_security_headers(res: Resources, client: Client) -> None:
    """Answers, refusals of the edge, unknown addresses, wrong methods, bodies that are too large, errors of ours."""
    failpoints.arm("http.before_answer", "raise", times=1)
    answers = {
        500: await client.get("/healthz"),
        200: await client.get("/healthz"),
        401: await client.get("/api/v1/bills"),
        404: await client.get("/nowhere"),
        405: await client.call("DELETE", "/healthz"),
        413: await client.call("POST", "/api/v1/login", raw=b"x" * (2 << 20)),
        422: await client.call("POST", "/api/v1/login", {}),
    }
    assert {status: answer.status for status, answer in answers.items()} == {status: status for status in answers}
    for status, answer in answers.items():
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, status
        assert answer.headers["X-Request-ID"], status
        for telling in ("Server", "X-Powered-By", "Access-Control-Allow-Origin", "Set-Cookie"):
            assert telling not in answer.headers, (status, telling)
    page = await client.get("/docs")
    assert "<script" not in page.body.decode()
    assert "default-src 'none'" in (await client.get("/")).headers["Content-Security-Policy"]


async def test_an_error_of_ours_tells_its_number_and_nothing_else(res: Resources, client: Client) -> None:
    failpoints.arm("http.before_answer", "raise", times=1)
    answer = await client.get("/healthz", headers={"X-Request-ID": "number-for-support"})
    assert answer.json == {
        "error": {
            "code": "internal",
            "message": "系统出了点问题，请稍后再试。",
            "request_id": "number-for-support",
            "details": {"retryable": False},
        }
    }


async def test_a_forwarded_address_counts_only_behind_a_proxy_that_is_declared(res: Resources, client: Client) -> None:
    """Otherwise anybody could leave the limit of logins behind by a header."""
    body, refused = {"login": "nobody", "password": "x"}, 0
    for number in range(40):
        headers = {"X-Forwarded-For": f"10.0.0.{number}"}
        answer = await client.call("POST", "/admin/v1/login", {**body, "login": f"n{number}"}, headers=headers)
        refused += answer.code == "too_many_requests"
    assert refused > 0


def test_every_route_that_may_be_guessed_at_has_a_limit() -> None:
    """Logins, codes that are typed, and what costs money or sends something (API4, API6)."""
    limited = {f"{route.method} {route.path}" for route in ROUTES if route.rate is not None}
    assert {
        "POST /api/v1/login",
        "POST /api/v1/phone",
        "POST /api/v1/staff-binding",
        "POST /api/v1/houses/join",
        "POST /api/v1/houses/{house_id}/family-codes",
        "POST /api/v1/applications",
        "POST /api/v1/payments",
        "POST /api/v1/payments/{payment_id}/cancel",
        "POST /admin/v1/login",
        "POST /admin/v1/me/password",
        "POST /admin/v1/me/totp/confirm",
        "POST /admin/v1/communities/{community_id}/people/{person_id}/reveal",
        "POST /admin/v1/communities/{community_id}/roster-imports",
    } <= limited
