"""An Alipay merchant with the keys of the vectors, and answers and notifications that key P signed."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from backend.kernel.clock import FrozenClock
from backend.kernel.egress import Answer
from payments.channels import alipay_keys
from payments.channels.alipay import Alipay
from payments.channels.alipay_keys import Merchant
from tests import vectors, vectors_alipay
from tests.unit.payments_channels.wire import BASE_URL, ScriptedEgress, Sent

APP_ID = "2021000000000001"
SELLER_ID = "2088531891668739"
GATEWAY = f"{BASE_URL}/gateway.do"


@cache
def merchant() -> Merchant:
    """A merchant in key mode with key M, who believes key P."""
    return alipay_keys.load(
        APP_ID,
        SELLER_ID,
        private_key_pem=vectors.private_pem(vectors.key_m()),
        platform_keys={alipay_keys.PUBLIC_KEY: vectors.public_pem(vectors.key_p())},
    )


def certified(*numbers: str) -> Merchant:
    """The same in certificate mode, believing key P under these numbers."""
    keys = {number: vectors.key_p().public_key() for number in numbers}
    return replace(merchant(), app_cert_sn="a" * 32, root_cert_sn="b" * 32 + "_" + "c" * 32, platform_keys=keys)


def sign(text: bytes) -> str:
    return base64.b64encode(vectors.key_p().sign(text, PKCS1v15(), SHA256())).decode()


def answer(
    method: str, node: Any, *, number: str | None = None, status: int = 200, signature: str | None = None
) -> Answer:
    """An answer as the gateway gives it; `node` as text is sent as it is."""
    raw = node if isinstance(node, str) else json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    name = method.replace(".", "_") + "_response"
    certificate = "" if number is None else f',"alipay_cert_sn":"{number}"'
    body = f'{{"{name}":{raw}{certificate},"sign":"{signature or sign(raw.encode())}"}}'
    return Answer(200, {"content-type": "text/html;charset=utf-8"}, body.encode())


def processed(method: str, **fields: Any) -> Answer:
    return answer(method, {"code": "10000", "msg": "Success", **fields})


def refused(method: str, sub_code: str, *, code: str = "40004") -> Answer:
    return answer(method, {"code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": "说明"})


def client(clock: FrozenClock, *answers: Answer | Exception) -> tuple[Alipay, ScriptedEgress]:
    egress = ScriptedEgress(list(answers))
    return Alipay(egress, clock, BASE_URL), egress  # type: ignore[arg-type]


def said(sent: Sent) -> dict[str, str]:
    """All parameters of a call, from query and body."""
    return address(sent.url) | dict(parse_qsl((sent.body or b"").decode(), strict_parsing=True))


def address(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def content(sent: Sent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(sent)["biz_content"])
    return found


def assert_signed(parameters: Mapping[str, str]) -> None:
    """Everything but `sign` is signed by the application's key, `sign_type` too (section 2)."""
    text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters) if name != "sign")
    signature = base64.b64decode(parameters["sign"])
    vectors.key_m().public_key().verify(signature, text.encode(), PKCS1v15(), SHA256())


def notification(
    fields: Mapping[str, str], *, charset: str = "utf-8", sign_type: str = "RSA2", **unsigned: str
) -> bytes:
    """The form of a notification in `charset`, signed with key P over everything but `unsigned`."""
    encoded = {name: value.encode(charset) for name, value in fields.items()}
    text = b"&".join(name.encode() + b"=" + encoded[name] for name in sorted(encoded) if encoded[name])
    return urlencode({**encoded, "sign_type": sign_type, "sign": sign(text), **unsigned}).encode()


def paid(**changed: str) -> dict[str, str]:
    """The fields of vector 15.3."""
    fields = dict(pair.partition("=")[::2] for pair in vectors_alipay.NOTIFICATION_TEXT.split("&"))
    return {**fields, **changed}


class FileEgress(ScriptedEgress):
    """Gives `file` to whoever downloads."""

    file = b""
    file_status = 200

    @asynccontextmanager
    async def stream(self, method: str, url: str, *, max_bytes: int) -> AsyncIterator[Any]:
        self.sent.append(Sent(method, url, {}, None))
        file, found = self.file, self.file_status

        class Pieces:
            status = found

            async def chunks(self) -> AsyncIterator[bytes]:
                for start in range(0, len(file), 1000):
                    yield file[start : start + 1000]

        yield Pieces()
