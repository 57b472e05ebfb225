"""Alipay on the stage of payments: a merchant that the sandbox knows, payers who scan, messages signed by the test."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from payments import merchants, orders, prepay
from payments.channels import alipay_certificates, alipay_signing
from payments.channels.base import Channel, Method
from payments.merchant_keys import Keys
from payments.orders import Way
from payments.payables import Kind, Wish
from tests import factories, vectors
from tests.conftest import START, Client, Sandbox
from tests.factories_payments import Stage

APP_ID, SELLER_ID = "9021000000000001", "2088531891668739"


@dataclass
class Alipay:
    """Paying the bills of `play` by Alipay."""

    play: Stage
    merchant_id: UUID

    async def order(
        self, *bill_ids: UUID, method: Method = Method.PRECREATE, who: factories.Person | None = None
    ) -> UUID:
        """An order placed by code, not yet known to Alipay."""
        payer = self.play.payer_of(who or self.play.owner)

        async def work(tx: Tx) -> UUID:
            placed = await orders.place(
                tx, payer, res=self.play.res, actor=Actor("resident", payer.person_id),
                wishes=[Wish(Kind.BILL, each) for each in bill_ids], way=Way(Channel.ALIPAY, method),
            )  # fmt: skip
            return placed.order_id

        return await self.play.res.db.transact(work)

    async def ready(self, *bill_ids: UUID, method: Method = Method.PRECREATE) -> UUID:
        """An order whose code or page the payer has before him."""
        order_id = await self.order(*bill_ids, method=method)
        opening = await prepay.opening(self.play.res, order_id)
        if opening.open_url is not None:
            await self.visit(opening.open_url)
        return order_id

    async def visit(self, url: str) -> int:
        """The payer's browser opens a page."""
        async with self.play.res.egress.stream("GET", url, headers={}, max_bytes=1_000_000) as answer:
            async for _ in answer.chunks():
                pass
        return answer.status

    async def path(self, order_id: UUID | str) -> str:
        number = (await self.play.attempt(order_id))["out_trade_no"]
        return f"/alipay/orders/{APP_ID}/{number}"

    async def scans(self, order_id: UUID | str) -> Any:
        return await self.play.sandbox.ask("POST", f"{await self.path(order_id)}/scan", {})

    async def pays(self, order_id: UUID | str) -> Any:
        """The payer scans and pays; the notification is due at once."""
        return await self.play.sandbox.ask("POST", f"{await self.path(order_id)}/pay", {})

    async def told(self, order_id: UUID | str) -> Any:
        """The order as Alipay has it."""
        return await self.play.sandbox.ask("GET", await self.path(order_id))

    async def deliver(self) -> None:
        """Deliver every notification that is due, and wait for the answers."""
        await self.play.sandbox.ask("POST", "/alipay/notifications/flush", {})

    async def hostile(self, **plan: Any) -> None:
        await self.play.sandbox.ask("PUT", "/alipay/hostile", plan)

    async def notices(self, order_id: UUID | str) -> list[Any]:
        number = (await self.play.attempt(order_id))["out_trade_no"]
        found = await self.play.sandbox.ask("GET", f"/alipay/notifications?out_trade_no={number}")
        return list(found["notifications"])

    async def body(self, order_id: UUID | str, *, key: RSAPrivateKey | None = None, **changes: str) -> bytes:
        """A notification of the order's payment, signed by the test, who is believed as a second Alipay.

        A field changed to "" is left out.
        """
        attempt = await self.play.attempt(order_id)
        now = self.play.res.clock.now().astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
        fields = {
            "app_id": APP_ID, "auth_app_id": APP_ID, "charset": "utf-8", "gmt_create": now, "gmt_payment": now,
            "notify_id": attempt["out_trade_no"], "notify_time": now, "notify_type": "trade_status_sync",
            "out_trade_no": attempt["out_trade_no"], "seller_id": SELLER_ID, "subject": "物业费 2026年9月",
            "total_amount": yuan(attempt["amount_fen"]), "trade_no": trade_no(attempt["out_trade_no"]),
            "trade_status": "TRADE_SUCCESS", "version": "1.0", "buyer_id": "2088102534368455",
            "passback_params": attempt["request"]["attach"], **changes,
        }  # fmt: skip
        return signed({name: value for name, value in fields.items() if value}, key or vectors.key_p())

    async def send(self, client: Client, body: bytes) -> tuple[int, bytes]:
        """Send a notification; what was answered."""
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        answer = await client.call("POST", f"/pay/notify/alipay/{self.merchant_id}", raw=body, headers=headers)
        return answer.status, answer.body


def yuan(amount_fen: int) -> str:
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def trade_no(out_trade_no: str) -> str:
    """A trade number that goes with one of ours."""
    return "2026090122001" + "".join(str(ord(char) % 10) for char in out_trade_no)[:15]


def signed(fields: dict[str, str], key: RSAPrivateKey) -> bytes:
    """The form of a notification (protocols/alipay.md section 9)."""
    text = alipay_signing.notification_text({name: value.encode() for name, value in fields.items()})
    number = alipay_certificates.number(x509.load_pem_x509_certificate(self_signed(key).encode()))
    sign = alipay_signing.sign(key, text)
    return urlencode({**fields, "sign_type": "RSA2", "sign": sign, "alipay_cert_sn": number}).encode()


def self_signed(key: RSAPrivateKey) -> str:
    """A certificate over a key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Linli Test CA")])
    made = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=12345,
        not_valid_before=START, not_valid_after=START + timedelta(days=1),
    ).sign(key, SHA256())  # fmt: skip
    return made.public_bytes(Encoding.PEM).decode()


async def merchant(res: Resources, sandbox: Sandbox, place: factories.Community) -> UUID:
    """A merchant in certificate mode that believes the sandbox and the test."""
    told = await sandbox.ask(
        "PUT", f"/alipay/merchants/{APP_ID}",
        {"seller_id": SELLER_ID, "mode": "certificate", "public_key_pem": vectors.public_pem(vectors.key_m())},
    )  # fmt: skip
    theirs, ours = told["alipay_cert_pem"], self_signed(vectors.key_p())
    number = alipay_certificates.number(x509.load_pem_x509_certificate(ours.encode()))
    keys = Keys(
        told["app_cert_sn"], vectors.private_pem(vectors.key_m()), "",
        {told["alipay_cert_sn"]: theirs, number: ours}, told["alipay_root_cert_sn"],
    )  # fmt: skip

    async def work(tx: Tx) -> UUID:
        made = await merchants.create(
            tx, SYSTEM, keyring=res.keyring, mode=res.settings.mode, company_id=place.company_id,
            community_id=None, item_id=None, channel=Channel.ALIPAY, mchid=SELLER_ID, appid=APP_ID, name="沙箱支付宝",
            keys=keys,
        )  # fmt: skip
        return made.id

    return await res.db.transact(work)


async def alipay(play: Stage) -> Alipay:
    """Alipay on the stage."""
    return Alipay(play, await merchant(play.res, play.sandbox, play.place))
