"""Test vectors of protocols/wechat-pay-v3.md section 15 and protocols/wechat-miniprogram.md section 9.

Shared by the tests of the sandbox and by the tests of the product: each side is held against the same texts, apart
from the other. Texts are str; the bytes on the wire are their UTF-8. The keys are test keys, never used elsewhere.
"""

import base64
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

RSA_EXPONENT = 65537

# 15.1 keys: M is the merchant (or application), P is the WeChat platform.
KEY_M_P = int(
    "cb1021c2da611c9749e63d2a7de3f4ed17d420b17ca476b5009502291da39ecc4c0e935f988985e63bfa7b0b"
    "47b72d35d05de8b54d83f8e408efa358d2d38ddd3913ec0985a91b85b85bd7960372ba53d9410f39d2a12788"
    "13e96ef01dba31c60672033a912c0173c798ba59344b36c8b94c0db08dbf5ce3cb337e14e308ec07",
    16,
)
KEY_M_Q = int(
    "c26c96a25e643903689760f9e8ee83599a4c38a57f03014cae5b89c596c2463bb7f4a7e2a42b9cece324acce"
    "980ab9800f2f8fdefb950b70064d547ba2492927c90616a89c84be306ebafb8d87c4d786303066b47afdc375"
    "db0fcceb838469651a574818677f2bc6f94fc97440bd375a04996b1d1faa0fecacb0f04a6f35407f",
    16,
)
KEY_M_SPKI_SHA256 = "bc8d1c10d45aa8740ff6577a138f477246fb2f84c6085e778bb4a96611d57c9d"
KEY_P_P = int(
    "f05aa15a03aff63abd4dcf976f8d995de03b174a29d3c1976812a506d62a54f184ff2af471d7025cc3ea2cdb"
    "58093c4609cbfdafc5435f652ed24bab0cf012732e4551ebc51a1107ae35a6399974f484c40246383f2bd5ee"
    "9b6f60032473a5fd28290c33cbe76f8b43bc4cbbb913969f94aa4b75b797d89b99e937982d294863",
    16,
)
KEY_P_Q = int(
    "bffcdb076c07bfe779d5ca15ae031360140eb0e575889bd0f1694e22dca1e2aebf418029c3b43378dbd9a37f"
    "510af61caeced9114c803371b21f878c0045dc57e28a4013e3613efb62215c0f7c07edad47398e04c5803997"
    "73a597e03c23398e4352db9f4a848aba35dbdcf46b344d9ffb16e7e2c2592dcf57c36739bc446d07",
    16,
)
KEY_P_SPKI_SHA256 = "14517d93c6923e69dc9cf0840776528c53ad3668f1e9dae6b56448d243385872"

APIV3_KEY = "0123456789abcdef0123456789ABCDEF"
MCHID = "1900007291"
APPID = "wxd678efh567hg6787"
MERCHANT_SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"


def private_key(p: int, q: int) -> rsa.RSAPrivateKey:
    """The RSA key with e = 65537 and these primes."""
    d = pow(RSA_EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(RSA_EXPONENT, p * q),
    )
    return numbers.private_key()


@cache
def key_m() -> rsa.RSAPrivateKey:
    """The merchant's key."""
    return private_key(KEY_M_P, KEY_M_Q)


@cache
def key_p() -> rsa.RSAPrivateKey:
    """The platform's key."""
    return private_key(KEY_P_P, KEY_P_Q)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """PKCS#8 PEM without a password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """SubjectPublicKeyInfo PEM."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def public_der(key: rsa.RSAPrivateKey) -> bytes:
    """SubjectPublicKeyInfo DER; its SHA-256 is KEY_M_SPKI_SHA256 or KEY_P_SPKI_SHA256."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


# 15.2 signed POST (key M)
REQUEST_TIMESTAMP = "1788230400"
REQUEST_NONCE = "593BEC0C930BF1AFEB40B4A08C8FB242"
POST_PATH = "/v3/pay/transactions/jsapi"
POST_BODY = (
    '{"appid":"wxd678efh567hg6787","mchid":"1900007291","description":"物业费-2026年09月-1栋101","out_trade'
    '_no":"WY202609010001","notify_url":"https://pay.example.com/notify/wx","amount":{"total":12345,"'
    'currency":"CNY"},"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}'
)
POST_BODY_SHA256 = "e9d765ae77a087d953f71950f3e4cde4a9981ddb8a2b8e462fcc58558f4b66f4"
POST_TEXT_LENGTH = 348
POST_TEXT_SHA256 = "7e6ab72f86740db9a2a05381fef48a3ab918bc4abd5a506280e9300f309c7172"
POST_SIGNATURE = (
    "ZGjw1kfPWWb85qLLrzeyEwVInNZu8k8zU++ktLeALOmAZAlSD9DPPAbeZ1ZSHsy4fgKeX2KfZSDLD3ybNjusEPzP4s7g/iBo"
    "7mT0BVxiCXgNnDU2wW8xbfCBVJPyRttBzbSI6Q7hJ0acda8mn+YS5yzYrHvIAN3aU04o3OKH5LWh1CCUO1AjVT3zzXVd9nwM"
    "bOKptygyY6H45/oKfHnx+r7LCgOuveYkvrcGLMlEQrPpUxYuYol9caeDhvZ2FCq1zA2m7o57Nzb4pc3VKVgOJQ+pkJdCLr6V"
    "hjbH9AFKzB+fanSAezQCddLZmjUhGX+4gGLQobzhdgIsYEvni4f36g=="
)

# 15.3 signed GET (key M), same timestamp and nonce
GET_PATH = "/v3/pay/transactions/out-trade-no/WY202609010001?mchid=1900007291"
GET_TEXT_LENGTH = 115
GET_TEXT_SHA256 = "abf5b05097dda02f7f793a01c5d972aca1c73cfc76cd56ae947234747b261b78"
GET_SIGNATURE = (
    "dcfS8zL7YCtntuKdiRzBZPwotza04HIT9/8aNLyIdAFxuULGp0AKEQTXtHqEGkuAIWceJVBRR44GnVEk6YsIx2EzJ3VZzjaq"
    "fdHEGnd8S+zU1uJ1nNua1zfcTQU4lay19EKKuPwRnhQ6nYHRawvVUAsvUrAzu8T4NUK7QXWk//v4XNidtmTCjgfPJXsuHsH+"
    "HtyMffo62d9ZLQgNfKwBlDWUzI5vC+lz3js6B0yLbu2+f8JlD0NTcfUSEn++npD65+GqSYT/cEmvwVzn6h9NEC/qBxRcQKrm"
    "/0u2nRCKyJT87r3czPXyY+ENwAhinDK0tx4Wxn+YrTxJiD2Va0UrzA=="
)

# 15.4 responses (key P)
RESPONSE_TIMESTAMP = "1788230400"
RESPONSE_NONCE = "c5ac7061fccab6bf3e254dcf98995b8c"
RESPONSE_BODY = '{"prepay_id":"wx261153585405162d4d02642eabe7000000"}'
RESPONSE_TEXT_SHA256 = "217667ba39535ba285fedecd0afd6abc8a05ae523219d52a7026d2330b9be6a3"
RESPONSE_SIGNATURE = (
    "kXnoxN8SICDKifB4Io+wN+QjwssX8/Iqv8Zl8wizBSC0U1gU4DtfC7cDaN8lESkJIRDWhLW2cPC/br4qSbV8aFms75N8Syv6"
    "LWzhY1ecYKoD1EtX6C09kX5POzpzl0/6z1WMCjoXjNBhyceeAZx79nfABcHYbNAdqDpEolUu6PsL+KlzkodsvpI7wAxbiwUV"
    "obxlTaWto1FEwmThDzLWIVljPvPb1hR8zevqwY5MfNTGvBnNmjSMK9fKh63dLvJIaSyrw0lDucUE/Cpu4yOiA0z7405nbd3B"
    "AwPvfNK8LNbAIngGJYlzNduSJS/wyPJf0dh363jojyKmA15IthpQ7w=="
)
EMPTY_RESPONSE_SIGNATURE = (
    "DJ6pkwhnFbPd1jIquHszCLxjANpi+pIf4WW1TQ48qf2VrbMrUFrhIQk3wNNqq7Yd8g9RcqLs1jZHrA71vQY0yBo58pQo/r50"
    "Q8RhyS2dDJmZJb2NxJK8RZ3rCC+a3Ak58LJmn9lpwOaDPu1B9sMiWL4+/Juua8wIif1eYLlV1yHrbd0yQtmi4c1ZwkGLHndB"
    "Mr22kaDW3p7ubPmM+cFAWqKKQj2/U/jhykK8gUdthyDVwksv5JYJk+BFq19i0LdNpcZAvs77Iaf5498l3n4OXd9C7i/wtMU6"
    "jsdV7koFbO1UjvDREtlzCAlLilus4R7EzzGaac4kq6dKwQQETWjLmQ=="
)

# 15.5 paySign (key M)
PAY_SIGN_TIMESTAMP = "1788230401"
PAY_SIGN_NONCE = "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"
PAY_SIGN_PACKAGE = "prepay_id=wx261153585405162d4d02642eabe7000000"
PAY_SIGN_TEXT_SHA256 = "3f101276023b43fa59548b9ed61df9e31c24f40adeeff3eeb97a123e7cf6821b"
PAY_SIGN = (
    "W3xa+mWZ/RglpPZdmWUd8gdneWofl1OyYJAdkJUMxQjJ/jEt3wWoL63a/NLqaeorDTDm6jj3w2afT0bWsObTzNUFrLPiW8Jc"
    "rY8wHhUj46D/pALFceDnr9MMYOCKM5G9mfwIrSWcKh0ANGeDMgcugVcMWp5W+MZS8BPHEJRvrCYK4fdh11gcotONyUEaazfx"
    "17OZpx2Hs59cuVmFEDSfC5C3XgfbAjoKf959Ikwn3Myxk3PFcSKQbOEbOOaPBn94u+H/rA1LD4injf1YlRwtfnQymZc180gp"
    "clPlNYqhrZ2AhdXyojgY//MwgdR7NXyvmfdVIYpQv98NRKf+UOhpZw=="
)

# 15.6 AES-256-GCM with APIV3_KEY: plaintext, nonce, associated data, ciphertext with tag in Base64
GCM_VECTORS = (
    (
        '{"refund_status":"SUCCESS"}',
        "abcdefghijkl",
        "refund",
        "YOZp7BQLEDSxtvLGfr9njyM8H4KCo0EWI9K4u3eX/CWFYdCwDydTIMSUfw==",
    ),
    ("测试", "abcdefghijkl", "", "/XGQYd3rCXkdQdlQLl2HOl3W8dMnOw=="),
)

# 15.7 complete payment notification (key P)
NOTIFICATION_PLAINTEXT = (
    '{"mchid":"1900007291","appid":"wxd678efh567hg6787","out_trade_no":"WY202609010001","transaction_'
    'id":"4200002670202609015678901234","trade_type":"JSAPI","trade_state":"SUCCESS","trade_state_des'
    'c":"支付成功","bank_type":"OTHERS","attach":"","success_time":"2026-09-01T00:01:05+08:00","payer":{"'
    'openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"amount":{"total":12345,"payer_total":12345,"currency":"'
    'CNY","payer_currency":"CNY"}}'
)
NOTIFICATION_RESOURCE_NONCE = "fdasfjihihih"
NOTIFICATION_ASSOCIATED_DATA = "transaction"
NOTIFICATION_ID = "b62e271c-3389-58a0-8146-4a704966e8f1"
NOTIFICATION_CREATE_TIME = "2026-09-01T00:01:06+08:00"
NOTIFICATION_BODY = (
    '{"id":"b62e271c-3389-58a0-8146-4a704966e8f1","create_time":"2026-09-01T00:01:06+08:00","resource'
    '_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","summary":"支付成功","resource":{"origi'
    'nal_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"t2SIDDXl61mKvBUZSxJrdy4t7lA'
    "TBwf4C1tAwBeyDFhvVQ2ArUUSzFsf43m4yyVlcPayDt41rsI8mfZMo6Y1ps5cW24cbfFQuItVEn5G4GW/D4Wf8hPUN8ylEET"
    "xIvpNZNR4xg/FQeiMaSRCHll8KpYInT/j44Lvo1Ct4uh8YqlN1+sKp/mntYxvrI3Qzcr/INQpCGMBlMapg0YI5ZdhMxQnYf9"
    "jJIxNOkByjezsFDZpcjDecsvubv/seMPHvr5LHatP5lX50ly0q6wkIImal7EG4a/JRgXFKkUf6Qmo9Y67kcIiuWL2NswIl79"
    "M0FhTuyNu8n0CsbK4oDAsdsyIhx2JjVjcYeSVgwsz7S66AqsvD7e3OyplkbJUblqCXJmOQsCIwP2y1oCEdFLK0sAKMY7Ts/f"
    "6uAk4bE5OYtOyFH+NdMbwvhQoR4TG8w9KdJfo0YpV2bYlRi4ZxAmiUlMCSgKl5eS3uZ3pSxkJl2A/qKDzE0qAFplcnImze4o"
    'B5g8KSaV9FrnFGkwUuT6YS13589iko4raOnMw2ecAHpMfoggPkL0ssGJmxwf9EI6CYDNjKdH+ok4=","associated_data"'
    ':"transaction","nonce":"fdasfjihihih"}}'
)
NOTIFICATION_BODY_SHA256 = "c69ee8754ed8ba5d717481849fc76ed129676e381b2dac2b43a29bd8cfe5dbfc"
NOTIFICATION_TIMESTAMP = "1788192066"
NOTIFICATION_NONCE = "EcQeLk1YYHbPvV9wTsM0o7qHUJtFzCXp"
NOTIFICATION_SERIAL = "PUB_KEY_ID_0119000072912026090100000000000001"
SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
NOTIFICATION_SIGNATURE = (
    "YHmExVDmxM0Y8b0dRPYDofWje+tQ73upLu1YNMSBtRjrFOg7JyGkvzGe3RXs0rkctkSEcBidAV3Zp+p5mRUfyBef87VlvmUl"
    "Yeng4pv0NQWACDZ09HYVW4tfPJVy6Ldspwy7nytoNqxu9eG1FXKneRz8Mw/sLJxon++gjhzTkp4TLe9MYiOyYprBe3BsRIKY"
    "NXRS9LvO3Jn0RU+tMwNqncsokUymnWfhkwMDBD3tvVaZuxy0Xsh1ZNkbzMuSKe3ZvFVF9UL7C22LVsjq/mbbKWisUn0FS4zJ"
    "+x5hECcE6lNVPfP2y8jh81CBSwxeueHVo82HUXo7VzGXadIp+bw5VQ=="
)

# 15.8 OAEP with SHA-1 (decrypt with key P)
OAEP_PLAINTEXT = "张三"
OAEP_CIPHERTEXT = (
    "XPJFnYDKgKwvPhIRSgYZRn23u7xL3El+54+OYyQ7qwRGm0dqiUbMcs0dGZ71hL5L2Q1s083KUlgT8uyqYgW9r3/29gQSAsuP"
    "781UxbH5v4QSMwBAOAU71mATBgfplkZl8Il9ywMSLEZqUbMNoR9l8SwzCJDOaU+q59OAQV8dj9zwPOVLPIBUVQU9TEdjcrN2"
    "4hRJXtY/fiVLXz8EFELPdyPE52fEmSoYcXpJxg3kX6wr+Me0la5qB0PZIg2Y/8X2t6g0i0RY74/uTA2jH8gG8kiIDzdySb1h"
    "uS2NF36zFUFG64JEFc+iMiHERZifRYJVNURScheYRu/aLEgOTHXdxQ=="
)

# 15.9 trade statement (ALL), BOM and CRLF
BILL_HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充"
    "值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
BILL_ROW = (
    "`2026-09-01 00:01:05,`wxd678efh567hg6787,`1900007291,`0,`,`4200002670202609015678901234,`WY20260"
    "9010001,`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o,`JSAPI,`SUCCESS,`OTHERS,`CNY,`123.45,`0.00,`0,`0,`0.00,`0."
    "00,`,`,`物业费,`,`0.74000,`0.60%,`123.45,`0.00,`"
)
BILL_SUMMARY_HEADER = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
BILL_SUMMARY = "`1,`123.45,`0.00,`0.00,`0.74000,`123.45,`0.00"
BILL_LENGTH = 819
BILL_SHA1 = "0730cd3224a48662e33f99a0b60a9ecfecbe1a4f"
BILL_FILE = (
    b"\xef\xbb\xbf"
    + "".join(f"{line}\r\n" for line in (BILL_HEADER, BILL_ROW, BILL_SUMMARY_HEADER, BILL_SUMMARY)).encode()
)

# Mini-program 9.1: message push (official)
PUSH_TOKEN = "AAAAA"
URL_CHECK_TIMESTAMP = "1714036504"
URL_CHECK_NONCE = "1514711492"
URL_CHECK_SIGNATURE = "f464b24fc39322e44b38aa78f5edd27bd1441696"
PUSH_TIMESTAMP = "1714037059"
PUSH_NONCE = "486452656"
PUSH_SIGNATURE = "899cf89e464efb63f54ddac96b0a0a235f53aa78"
SAFE_MODE_AES_KEY = "A" * 43
SAFE_MODE_APPID = "wxba5fad812f8e6fb9"
SAFE_MODE_TIMESTAMP = "1714112445"
SAFE_MODE_NONCE = "415670741"
SAFE_MODE_SIGNATURE = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"
SAFE_MODE_RANDOM = "a8eedb185eb2fecf"
SAFE_MODE_ENCRYPT = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzD"
    "pVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2I"
    "uQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F"
    "9mFUPAJGj04="
)
SAFE_MODE_MESSAGE = (
    '{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":17141'
    '12445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}'
)
SAFE_REPLY_MESSAGE = '{"demo_resp":"good luck"}'
SAFE_REPLY_TIMESTAMP = "1713424427"
SAFE_REPLY_NONCE = "415670741"
SAFE_REPLY_ENCRYPT = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
SAFE_REPLY_SIGNATURE = "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"

# Mini-program 9.1: encrypted user data (official sample)
USER_DATA_APPID = "wx4f4bc4dec97d474b"
USER_DATA_SESSION_KEY = "tiihtNczf5v6AKRyjwEUhQ=="
USER_DATA_IV = "r7BXXKkLb8qrSNn05n0qiA=="
USER_DATA_ENCRYPTED = (
    "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+"
    "3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6"
    "/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs"
    "8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns"
    "/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG"
    "20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew=="
)
USER_DATA_OPENID = "oGZUI0egBJY1zhBYw2KhdUfwVJJE"
USER_DATA_UNIONID = "ocMvos6NjeKLIBqg5Mr9QjxrP1FA"
USER_DATA_TIMESTAMP = 1477314187

# Mini-program 9.2: generated
PHONE_SESSION_KEY = base64.b64encode(bytes(range(16))).decode()
PHONE_IV = base64.b64encode(bytes(range(16, 32))).decode()
PHONE_PLAINTEXT = (
    '{"phoneNumber":"13580006666","purePhoneNumber":"13580006666","countryCode":"86","watermark":{"ti'
    'mestamp":1788230400,"appid":"wxd678efh567hg6787"}}'
)
PHONE_ENCRYPTED = (
    "aLhedzo+Z6es5zW+YHo9sgkoobhypSEeViQBPmmCx3fmcZGKbataj/52/+U/sVY3AiF2KzOGsSF26s6H1VwLALPpPqvznm6/"
    "Yrci88llVSl0bwplNsmm05X71JB++CQvLamdiDRh+athZMs1/Ofpk+pyXyxysDRDCzWIOOM9Y/RF+FhK6oB+/oy0BG5MIha0"
    "99p+eDlo4Xue5hF4S6oWUg=="
)
CHECKSESSION_SIGNATURE = "75c022993d64e3ac224c1c9d6f2b4c6eb53f22f6c7aa6be94428577d11d12fd5"
