"""Alipay as seen by the demo data: a merchant that the sandbox keeps keys for, like a company's new contract."""

from dataclasses import dataclass, field

from backend.kernel.resources import Resources
from backend.seeding.wechat import control
from payments.channels.alipay_keys import PUBLIC_KEY
from payments.merchant_keys import Keys


@dataclass(frozen=True, slots=True)
class AlipayAccount:
    """What the company has at Alipay: an application, its seller id and the keys of key mode."""

    app_id: str
    seller_id: str
    keys: Keys = field(repr=False)


async def register(res: Resources) -> AlipayAccount:
    """The sandbox's merchant in key mode; it is the same each time."""
    told = await control(res, "POST", "/alipay/demo-merchants", {})
    merchant = next(each for each in told["merchants"] if each["mode"] == "key")
    return AlipayAccount(
        app_id=merchant["app_id"],
        seller_id=merchant["seller_id"],
        keys=Keys("", merchant["app_private_key_pem"], "", {PUBLIC_KEY: merchant["alipay_public_key_pem"]}),
    )
