"""GET /v3/certificates: the platform certificate, encrypted with the merchant's APIv3 key (section 4.1)."""

import secrets

from sandbox import clock, keys
from sandbox.errors import PayError
from sandbox.merchants import SigningMode
from sandbox.pay_edge import Answer, PayCall

NONCE_BYTES = 6


async def certificates(call: PayCall) -> Answer:
    """One certificate; an empty list for a merchant in public key mode."""
    if call.merchant.mode is SigningMode.PUBLIC_KEY:
        return Answer({"data": []})
    if not call.merchant.apiv3_key:
        raise PayError(403, "NO_AUTH", "请先在商户平台设置APIv3密钥")
    platform = call.world.keys
    nonce = secrets.token_hex(NONCE_BYTES)
    sealed = keys.seal(call.merchant.apiv3_key, platform.certificate_pem.encode(), nonce, "certificate")
    entry = {
        "serial_no": platform.certificate.serial,
        "effective_time": clock.rfc3339(platform.valid_from_s),
        "expire_time": clock.rfc3339(platform.valid_until_s),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": sealed,
        },
    }
    return Answer({"data": [entry]})
