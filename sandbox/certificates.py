"""GET /v3/certificates: the platform certificates, encrypted with the merchant's APIv3 key (section 4.1)."""

import secrets
from typing import Any

from sandbox import clock, keys
from sandbox.errors import PayError
from sandbox.merchants import SigningMode
from sandbox.pay_edge import Answer, PayCall
from sandbox.platform_keys import Certificate

NONCE_BYTES = 6


async def certificates(call: PayCall) -> Answer:
    """Every certificate in use; an empty list for a merchant in public key mode."""
    if call.merchant.mode is SigningMode.PUBLIC_KEY:
        return Answer({"data": []})
    if not call.merchant.apiv3_key:
        raise PayError(403, "NO_AUTH", "请先在商户平台设置APIv3密钥")
    return Answer({"data": [_entry(call.merchant.apiv3_key, one) for one in call.world.keys.certificates]})


def _entry(apiv3_key: str, certificate: Certificate) -> dict[str, Any]:
    nonce = secrets.token_hex(NONCE_BYTES)
    return {
        "serial_no": certificate.signer.serial,
        "effective_time": clock.rfc3339(certificate.valid_from_s),
        "expire_time": clock.rfc3339(certificate.valid_until_s),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": keys.seal(apiv3_key, certificate.pem.encode(), nonce, "certificate"),
        },
    }
