"""Who asks and whether the answer can be trusted: both signatures of WeChat Pay v3 (sections 2 and 3).

A request is accepted only with the right scheme, five pairs in any order, a known merchant and serial, a timestamp
within five minutes, a signature over the exact bytes sent, and a nonce that was not used before.
"""

import base64
import re
import secrets
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox import keys, merchants
from sandbox.errors import PayError
from sandbox.keys import Signer
from sandbox.merchants import Merchant
from sandbox.world import World

SCHEME = keys.SIGNATURE_TYPE
SAVE_NONCE = "INSERT OR IGNORE INTO nonces (mchid, nonce, seen_s) VALUES (?, ?, ?)"
WINDOW_S = 300
PAIR = re.compile(r'([a-z_]+)="([^"]*)"')
PAIRS = re.compile(r'[a-z_]+="[^"]*"(,\s*[a-z_]+="[^"]*")*')
PAIR_NAMES = frozenset({"mchid", "nonce_str", "signature", "timestamp", "serial_no"})
SIGNTEST_PREFIX = "WECHATPAY/SIGNTEST/"
SIGN_NUMBER = 268443699


@dataclass(frozen=True, slots=True)
class Credentials:
    """The five values of an Authorization header."""

    mchid: str
    nonce: str
    signature: str
    timestamp: str
    serial_no: str


def parse_authorization(header: str | None) -> Credentials:
    """The header's five pairs in any order; PayError 401 where it has another form."""
    scheme, _, rest = (header or "").partition(" ")
    pairs = PAIR.findall(rest)
    if scheme != SCHEME or not PAIRS.fullmatch(rest) or {name for name, _ in pairs} != PAIR_NAMES or len(pairs) != 5:
        raise PayError(
            401,
            "SIGN_ERROR",
            "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》",
            number=SIGN_NUMBER,
            detail={"field": "Authorization", "location": "authorization", "issue": "malformed"},
        )
    values = dict(pairs)
    return Credentials(
        values["mchid"], values["nonce_str"], values["signature"], values["timestamp"], values["serial_no"]
    )


def authenticate(world: World, request: web.BaseRequest, body: bytes) -> Merchant:
    """The merchant who signed this request; PayError 400 or 401 otherwise."""
    _check_headers(request, body)
    credentials = parse_authorization(request.headers.get("Authorization"))
    merchant = merchants.find(world.store, credentials.mchid)
    if merchant is None:
        raise PayError(400, "MCH_NOT_EXISTS", "商户号不存在", number=268443715)
    target = request.raw_path
    text = keys.request_text(request.method, target, credentials.timestamp, credentials.nonce, body)
    if not credentials.timestamp.isdecimal() or abs(world.now_s() - int(credentials.timestamp)) > WINDOW_S:
        raise _sign_error("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟", request.method, target, text)
    key = merchant.key(credentials.serial_no)
    if key is None:
        raise _sign_error("商户证书序列号有误。", request.method, target, text)
    if not keys.verify(key, text, credentials.signature):
        raise _sign_error("错误的签名，验签失败", request.method, target, text)
    if not _first_use(world, merchant.mchid, credentials.nonce):
        raise _sign_error("Http头Authorization中的nonce_str重复", request.method, target, text)
    return merchant


def _check_headers(request: web.BaseRequest, body: bytes) -> None:
    accept = request.headers.get("Accept", "")
    if not request.headers.get("User-Agent") or not accept:
        raise PayError(400, "PARAM_ERROR", "Http头缺少Accept或User-Agent", number=268435461)
    if "application/json" not in accept and "*/*" not in accept:
        raise PayError(400, "PARAM_ERROR", "Http头Accept不支持，请使用application/json", number=268435461)
    if body and request.content_type != "application/json":
        raise PayError(400, "PARAM_ERROR", "Http头Content-Type不支持，请使用application/json", number=268435461)


def _first_use(world: World, mchid: str, nonce: str) -> bool:
    now_s = world.now_s()
    with world.store.change():
        world.store.run("DELETE FROM nonces WHERE seen_s < ?", now_s - 2 * WINDOW_S)
        return world.store.run(SAVE_NONCE, mchid, nonce, now_s) == 1


def _sign_error(message: str, method: str, url: str, text: bytes) -> PayError:
    # Shown as the real channel does: the four first lines and the first eight bytes of the body.
    *lines, body = text.split(b"\n", 4)
    truncated = keys.lines(*lines, body.removesuffix(b"\n")[:8]).decode(errors="replace")
    detail: dict[str, Any] = {
        "detail": {"issue": "sign not match"},
        "field": "signature",
        "location": "authorization",
        "sign_information": {
            "method": method,
            "url": url,
            "sign_message_length": len(text),
            "truncated_sign_message": truncated,
        },
    }
    return PayError(401, "SIGN_ERROR", message, number=SIGN_NUMBER, detail=detail)


def signed_headers(signer: Signer, now_s: float, body: bytes, *, probe: bool = False) -> dict[str, str]:
    """The five `Wechatpay-*` headers over `body`; a probe carries a wrong, marked signature (SIGNTEST)."""
    timestamp, nonce = str(int(now_s)), secrets.token_hex(16)
    signature = keys.sign(signer.key, keys.answer_text(timestamp, nonce, body))
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": signer.serial,
        "Wechatpay-Signature": SIGNTEST_PREFIX + signature[len(SIGNTEST_PREFIX) :] if probe else signature,
        "Wechatpay-Signature-Type": keys.SIGNATURE_TYPE,
    }


def spoiled(signature: str) -> str:
    """Another well-formed signature that does not verify."""
    raw = bytearray(base64.b64decode(signature))
    raw[0] ^= 0xFF
    return base64.b64encode(bytes(raw)).decode()
