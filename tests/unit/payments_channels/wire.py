"""A merchant with the keys of the vectors, a clock that stands, and an egress that gives prepared answers."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from backend.kernel.clock import FrozenClock
from backend.kernel.egress import Answer
from payments.channels import wechat_merchant
from payments.channels.wechat_merchant import Merchant
from payments.channels.wechat_v3 import WechatPayV3
from tests import vectors

BASE_URL = "http://pay.test"
SUB_MCHID = "1900008888"
SUB_APPID = "wx0000000000000008"


def partner(*, sub_appid: str | None = None) -> Merchant:
    """A service provider with the same keys, who collects for sub merchant SUB_MCHID."""
    return replace(_usual(), sub_mchid=SUB_MCHID, sub_appid=sub_appid)


def merchant(*, api_v3_key: str = vectors.APIV3_KEY, platform_keys: Mapping[str, str] | None = None) -> Merchant:
    """A merchant with key M, who believes key P unless told otherwise."""
    if platform_keys is None and api_v3_key == vectors.APIV3_KEY:
        return _usual()
    return _loaded(api_v3_key, {} if platform_keys is None else platform_keys)


@cache
def _usual() -> Merchant:
    return _loaded(vectors.APIV3_KEY, {vectors.NOTIFICATION_SERIAL: vectors.public_pem(vectors.key_p())})


def _loaded(api_v3_key: str, platform_keys: Mapping[str, str]) -> Merchant:
    return wechat_merchant.load(
        vectors.MCHID,
        vectors.APPID,
        serial_no=vectors.MERCHANT_SERIAL,
        private_key_pem=vectors.private_pem(vectors.key_m()),
        api_v3_key=api_v3_key,
        platform_keys=platform_keys,
    )


def signed(
    status: int, body: bytes, *, now_s: int, serial: str = vectors.NOTIFICATION_SERIAL, nonce: str = "n" * 32
) -> Answer:
    """An answer of the platform, signed with key P."""
    text = f"{now_s}\n{nonce}\n".encode() + body + b"\n"
    signature = base64.b64encode(vectors.key_p().sign(text, PKCS1v15(), SHA256())).decode()
    return Answer(
        status,
        {
            "wechatpay-timestamp": str(now_s),
            "wechatpay-nonce": nonce,
            "wechatpay-signature": signature,
            "wechatpay-serial": serial,
            "wechatpay-signature-type": vectors.SIGNATURE_TYPE,
        },
        body,
    )


@dataclass
class Sent:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass
class ScriptedEgress:
    """Answers in turn; an exception in the list is raised."""

    answers: list[Answer | Exception]
    sent: list[Sent] = field(default_factory=list)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        total_s: float = 15.0,
    ) -> Answer:
        self.sent.append(Sent(method, url, headers or {}, body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def frozen() -> FrozenClock:
    return FrozenClock(datetime(2026, 9, 1, 2, 0, tzinfo=UTC))


def client(clock: FrozenClock, *answers: Answer | Exception) -> tuple[WechatPayV3, ScriptedEgress]:
    egress = ScriptedEgress(list(answers))
    return WechatPayV3(egress, clock, BASE_URL), egress  # type: ignore[arg-type]
