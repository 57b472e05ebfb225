"""Control API of merchants and of keys: what a merchant sets in its console, and what the platform renews."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from sandbox import merchants
from sandbox.control_edge import take
from sandbox.errors import ControlError
from sandbox.keys import load_public_key
from sandbox.merchants import Merchant, SigningMode
from sandbox.platform_keys import KeyKind, public_pem
from sandbox.world import World

API_V3_KEY_BYTES = (0, 32)


async def put_merchant(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/merchants/{mchid}: create or replace a merchant; answers the platform's public key."""
    optional: dict[str, Any] = {"sub_merchants": {}, "h5_domains": []}
    wanted = take(body, "appids", "apiv3_key", "serial_no", "public_key_pem", "mode", **optional)
    if wanted["mode"] not in list(SigningMode):
        raise ControlError(400, "wrong_value", f"mode is one of {[str(mode) for mode in SigningMode]}")
    _check_apiv3_key(wanted["apiv3_key"])
    _check_public_key(wanted["public_key_pem"])
    merchant = Merchant(
        mchid=request.match_info["mchid"],
        appids=frozenset(wanted["appids"]),
        apiv3_key=wanted["apiv3_key"],
        serial_no=wanted["serial_no"],
        public_key_pem=wanted["public_key_pem"],
        mode=SigningMode(wanted["mode"]),
        sub_merchants=wanted["sub_merchants"],
        h5_domains=frozenset(wanted["h5_domains"]),
    )
    merchants.save(world.store, merchant)
    return merchant_view(world, merchant)


def merchant_view(world: World, merchant: Merchant) -> dict[str, Any]:
    """A merchant without its APIv3 key, and what it needs to verify the platform."""
    return {
        "mchid": merchant.mchid,
        "appids": sorted(merchant.appids),
        "mode": str(merchant.mode),
        "serial_nos": list(merchant.public_keys),
        "sub_merchants": dict(merchant.sub_merchants),
        "h5_domains": sorted(merchant.h5_domains),
        "platform_public_key_id": world.keys.public_key.serial,
        "platform_public_key_pem": world.keys.public_key_pem,
    }


def _check_apiv3_key(apiv3_key: str) -> None:
    if len(apiv3_key.encode()) not in API_V3_KEY_BYTES:
        raise ControlError(400, "wrong_value", "apiv3_key has 32 bytes, or none while it is not set")


def _check_public_key(pem: str) -> None:
    try:
        load_public_key(pem)
    except ValueError as error:
        raise ControlError(400, "wrong_value", f"public_key_pem: {error}") from error


def _merchant(world: World, request: web.Request) -> Merchant:
    merchant = merchants.find(world.store, request.match_info["mchid"])
    if merchant is None:
        raise ControlError(404, "no_such_merchant", f"no merchant {request.match_info['mchid']}")
    return merchant


async def show_merchant(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/merchants/{mchid}."""
    return merchant_view(world, _merchant(world, request))


async def add_key(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/merchants/{mchid}/keys: a further API certificate, three at most."""
    wanted, merchant = take(body, "serial_no", "public_key_pem"), _merchant(world, request)
    _check_public_key(wanted["public_key_pem"])
    if len(merchant.public_keys) >= merchants.MOST_KEYS and wanted["serial_no"] not in merchant.public_keys:
        raise ControlError(409, "too_many_keys", f"a merchant has {merchants.MOST_KEYS} API certificates at most")
    return _with_keys(world, merchant, {**merchant.public_keys, wanted["serial_no"]: wanted["public_key_pem"]})


async def revoke_key(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /control/merchants/{mchid}/keys/{serial_no}: its signatures are refused from now on."""
    merchant, serial_no = _merchant(world, request), request.match_info["serial_no"]
    rest = {serial: pem for serial, pem in merchant.public_keys.items() if serial != serial_no}
    if not rest or len(rest) == len(merchant.public_keys):
        raise ControlError(409, "no_such_key", f"{serial_no} is not in use, or the last one")
    return _with_keys(world, merchant, rest)


def _with_keys(world: World, merchant: Merchant, public_keys: dict[str, str]) -> dict[str, Any]:
    (serial_no, pem), *more = public_keys.items()
    changed = replace(merchant, serial_no=serial_no, public_key_pem=pem, more_keys=dict(more))
    merchants.save(world.store, changed)
    return merchant_view(world, changed)


async def set_apiv3_key(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """PUT /control/merchants/{mchid}/apiv3-key: what is encrypted from now on needs the new one."""
    apiv3_key, merchant = take(body, "apiv3_key")["apiv3_key"], _merchant(world, request)
    _check_apiv3_key(apiv3_key)
    changed = replace(merchant, apiv3_key=apiv3_key)
    merchants.save(world.store, changed)
    return merchant_view(world, changed)


def _keys_view(world: World) -> dict[str, Any]:
    return {
        "public_keys": [{"id": one.serial, "pem": public_pem(one.key)} for one in world.keys.public_keys],
        "certificates": [{"serial_no": one.signer.serial, "pem": one.pem} for one in world.keys.certificates],
    }


async def show_keys(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /control/keys: the platform's keys in use, newest last."""
    return _keys_view(world)


async def renew_key(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/keys/{kind}/renew: a new one beside the old; from now on both sign."""
    world.keys.renew(_kind(request))
    return _keys_view(world)


async def retire_key(world: World, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /control/keys/{kind}/retire: only the newest signs."""
    world.keys.retire(_kind(request))
    return _keys_view(world)


def _kind(request: web.Request) -> KeyKind:
    kind = request.match_info["kind"]
    if kind not in list(KeyKind):
        raise ControlError(404, "no_such_kind", f"keys are renewed by kind: {[str(one) for one in KeyKind]}")
    return KeyKind(kind)
