"""alipay.open.app.alipaycert.download: the certificate behind a number that came with an answer (section 4)."""

import base64
from typing import Any

from sandbox.alipay_errors import AlipayError
from sandbox.alipay_gateway import Call


async def download(call: Call) -> dict[str, Any]:
    """The certificate that signs now, its PEM in Base64."""
    if call.content["alipay_cert_sn"] != call.world.alipay.certificate_sn:
        raise AlipayError("40002", "isv.alipay-cert-not-exist", "支付宝公钥证书不存在")
    return {"alipay_cert_content": base64.b64encode(call.world.alipay.certificate_pem.encode()).decode()}
