"""The classic gateway, /gateway.do: read, check, act, answer signed (protocols/alipay.md sections 1 to 4).

Parameters come in the query and in the form body, read in the charset that the query names. Checked in the order of
the real gateway: application, method and forms, timestamp, signature. Server calls are answered with HTTP 200 and
JSON that calls itself HTML; page calls are a payer's browser, and their failures are HTML in GBK.
"""

import html
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import alipay_fields, alipay_hostile, alipay_keys, alipay_merchants, clock, keys, pay_auth
from sandbox.alipay_errors import AlipayError, attack, invalid, missing
from sandbox.alipay_fields import Fields
from sandbox.alipay_merchants import AlipayMerchant, Mode
from sandbox.pay_edge import Handler, hang
from sandbox.world import WORLD, World

CHARSETS = {"utf-8": "utf-8", "gbk": "gb18030"}
# The gateway decodes what names no charset as GBK: a charset that only the body names comes too late.
UNNAMED_CHARSET = "gb18030"
TIMESTAMP_FORM = "%Y-%m-%d %H:%M:%S"
SKEW_S = 600
COMMON = frozenset(
    {
        "app_id",
        "method",
        "format",
        "charset",
        "sign_type",
        "sign",
        "timestamp",
        "version",
        "notify_url",
        "return_url",
        "app_auth_token",
        "auth_token",
        "app_cert_sn",
        "alipay_root_cert_sn",
        "biz_content",
        "alipay_sdk",
    }
)
URL_LONGEST = 256
WRONG_SIGNATURE = "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配，网关生成的验签字符串为："
ERROR_PAGE = """<html>
<head><meta http-equiv="Content-Type" content="text/html; charset=GBK"><title>支付宝 - 错误提示</title></head>
<body><h1>抱歉，您的支付请求没有成功</h1><p>错误代码：{code}</p><p>{why}</p>
<p>请返回商家重新发起支付。这是本机的支付宝沙箱，不会产生真实扣款。</p></body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed all checks. `behaviour` is what a script wants of the deed itself, None usually."""

    world: World
    request: web.Request
    merchant: AlipayMerchant
    parameters: Mapping[str, str]
    content: Mapping[str, Any]
    charset: str
    behaviour: Any

    def common(self, name: str) -> str:
        """A common parameter, empty where it was not given."""
        return self.parameters.get(name, "")


Act = Callable[[Call], Awaitable[dict[str, Any]]]
ShowPage = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ServerMethod:
    """A method that servers call; `script` names the list of scripted behaviours that it follows."""

    fields: Fields
    act: Act
    script: str | None = None


@dataclass(frozen=True, slots=True)
class PageMethod:
    """A method that the payer's browser opens."""

    fields: Fields
    show: ShowPage


Methods = Mapping[str, ServerMethod | PageMethod]


def gateway(methods: Methods) -> Handler:
    """The handler of GET and POST /gateway.do."""

    async def handle(request: web.Request) -> web.StreamResponse:
        parameters, charset = await _read(request)
        method = methods.get(parameters.get("method", ""))
        if method is not None:
            request.app[WORLD].store.count(parameters["method"])
        if isinstance(method, PageMethod):
            return await _page(request, method, parameters, charset)
        return await _server(request, method, parameters, charset)

    return handle


async def _read(request: web.Request) -> tuple[dict[str, str], str]:
    """All parameters of query and body, and the charset they were read in."""
    raw_query = request.rel_url.raw_query_string
    named = dict(parse_qsl(raw_query, keep_blank_values=True)).get("charset", "")
    charset = CHARSETS.get(named.lower(), UNNAMED_CHARSET)
    body = (await request.read()).decode("latin-1") if request.method == "POST" else ""
    found: dict[str, str] = {}
    for text in (body, raw_query):
        found.update(parse_qsl(text, keep_blank_values=True, encoding=charset, errors="replace"))
    return found, charset


async def _page(
    request: web.Request, method: PageMethod, parameters: dict[str, str], charset: str
) -> web.StreamResponse:
    try:
        merchant = identify(request.app[WORLD], parameters)
        check(request.app[WORLD], merchant, parameters, charset, method)
        content = alipay_fields.parse(parameters.get("biz_content", ""), method.fields)
        return await method.show(Call(request.app[WORLD], request, merchant, parameters, content, charset, None))
    except AlipayError as error:
        return error_page(error)


def error_page(error: AlipayError) -> web.Response:
    """What a payer sees when a page call fails: HTML in GBK, HTTP 200."""
    text = ERROR_PAGE.format(code=html.escape(error.sub_code), why=html.escape(error.sub_msg))
    body = text.encode("gb18030")
    return web.Response(body=body, content_type="text/html", charset="GBK")


async def _server(
    request: web.Request, method: ServerMethod | None, parameters: dict[str, str], charset: str
) -> web.StreamResponse:
    world, name = request.app[WORLD], node_name(parameters.get("method", ""))
    merchant: AlipayMerchant | None = None
    behaviour: Any = None
    try:
        merchant = identify(world, parameters)
        check(world, merchant, parameters, charset, method)
        assert method is not None
        content = alipay_fields.parse(parameters.get("biz_content", ""), method.fields)
        behaviour = alipay_hostile.next_behaviour(world, method.script) if method.script else None
        if behaviour == "hang":
            return await hang(request)
        if behaviour == "http_500":
            return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
        _refuse_as_scripted(behaviour)
        call = Call(world, request, merchant, parameters, content, charset, behaviour)
        node: dict[str, Any] = {"code": "10000", "msg": "Success", **await method.act(call)}
        if behaviour == "act_then_error":
            raise _unavailable()
    except AlipayError as error:
        node = error.node()
        if not error.signed:
            return answer(unsigned("error_response", node).encode(charset), charset)
    if behaviour == "act_then_hang":
        return await hang(request)
    assert merchant is not None
    return answer(_bytes(world, merchant, name, node, charset, behaviour), charset)


def _refuse_as_scripted(behaviour: object) -> None:
    if behaviour == "error":
        raise _unavailable()
    if behaviour == "limit":
        raise AlipayError("40005", "isv.app-call-limited", "应用调用次数超限，请稍后再试")
    if isinstance(behaviour, dict):
        raise AlipayError("40004", behaviour["sub_code"], "业务处理失败")


def _unavailable() -> AlipayError:
    return AlipayError("20000", "isp.unknow-error", "系统繁忙，请稍后再试")


def _bytes(
    world: World, merchant: AlipayMerchant, name: str, node: dict[str, Any], charset: str, behaviour: object
) -> bytes:
    if behaviour == "wrong_amount" and "total_amount" in node:
        node = {**node, "total_amount": f"{node['total_amount'][:-1]}{(int(node['total_amount'][-1]) + 1) % 10}"}
    if alipay_hostile.is_on(world, "nested_sign"):
        node = {**node, "ext_info": {"sign": 'inner "}],\\"sign\\":\\"', "alipay_cert_sn": "{"}}
    raw = node_text(node, escape_slashes=alipay_hostile.is_on(world, "escape_slashes"))
    if behaviour == "unsigned":
        return unsigned(name, node).encode(charset)
    signer = alipay_merchants.signer(world, merchant)
    signature = keys.sign(signer.key, raw.encode(charset))
    if behaviour == "bad_signature":
        signature = pay_auth.spoiled(signature)
    body = signed(name, raw, signature, signer.certificate_sn).encode(charset)
    return body[: len(body) // 2] if behaviour == "truncated" else body


def node_name(method: str) -> str:
    """The key of a method's node."""
    return f"{method.replace('.', '_')}_response"


def node_text(node: Mapping[str, Any], *, escape_slashes: bool) -> str:
    """The node exactly as it is sent and signed; `\\/` for every slash where the gateway does that."""
    text = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    return text.replace("/", "\\/") if escape_slashes else text


def signed(name: str, raw: str, signature: str, certificate_sn: str | None) -> str:
    """The whole answer; in certificate mode the certificate's number stands before the signature."""
    sn = f'"alipay_cert_sn":"{certificate_sn}",' if certificate_sn else ""
    return f'{{"{name}":{raw},{sn}"sign":"{signature}"}}'


def unsigned(name: str, node: Mapping[str, Any]) -> str:
    """An answer that nobody can trust."""
    return f'{{"{name}":{node_text(node, escape_slashes=False)}}}'


def answer(body: bytes, charset: str) -> web.Response:
    """JSON that calls itself HTML."""
    return web.Response(
        body=body,
        content_type="text/html",
        charset="utf-8" if charset == "utf-8" else "GBK",
        headers={"Server": "Tengine"},
    )


def identify(world: World, parameters: Mapping[str, str]) -> AlipayMerchant:
    """The merchant whose application this is; nothing is verified yet."""
    if not parameters.get("app_id"):
        raise missing("isv.missing-app-id", "AppID")
    merchant = alipay_merchants.find(world.store, parameters["app_id"])
    if merchant is None:
        raise invalid("isv.invalid-app-id", "无效的AppID参数")
    return merchant


def check(
    world: World,
    merchant: AlipayMerchant,
    parameters: Mapping[str, str],
    charset: str,
    method: ServerMethod | PageMethod | None,
) -> None:
    """AlipayError for the first thing that is wrong with a request in the merchant's name."""
    _check_forms(parameters, method)
    _check_timestamp(world, parameters, is_page=isinstance(method, PageMethod))
    _check_signature(parameters, charset, _key(world, merchant, parameters))
    _check_names(parameters)


def _check_forms(parameters: Mapping[str, str], method: object) -> None:
    if not parameters.get("method"):
        raise missing("isv.missing-method", "方法名")
    if method is None:
        raise invalid("isv.invalid-method", "不存在的方法名")
    if parameters.get("charset", "").lower() not in CHARSETS:
        raise invalid("isv.invalid-charset", "字符集错误")
    if parameters.get("format", "JSON").upper() != "JSON":
        raise invalid("isv.invalid-format", "无效的数据格式")
    if parameters.get("version") != "1.0":
        raise invalid("isv.invalid-version", "无效的版本号")
    if not parameters.get("sign_type"):
        raise missing("isv.missing-signature-type", "签名类型")
    if parameters["sign_type"] != "RSA2":
        raise invalid("isv.invalid-signature-type", "无效的签名类型，仅支持RSA2")
    if not parameters.get("sign"):
        raise missing("isv.missing-signature", "签名")


def _check_timestamp(world: World, parameters: Mapping[str, str], *, is_page: bool) -> None:
    text = parameters.get("timestamp")
    if not text:
        raise missing("isv.missing-timestamp", "时间戳")
    try:
        instant_s = datetime.strptime(text, TIMESTAMP_FORM).replace(tzinfo=clock.SHANGHAI).timestamp()
    except ValueError as error:
        raise invalid("isv.invalid-timestamp", "非法的时间戳参数") from error
    # A page's address may be opened long after it was signed.
    if len(text) != 19 or (abs(world.now_s() - instant_s) > SKEW_S and not is_page):
        raise invalid("isv.invalid-timestamp", "非法的时间戳参数，应为北京时间")


def _key(world: World, merchant: AlipayMerchant, parameters: Mapping[str, str]) -> rsa.RSAPublicKey:
    if merchant.mode is Mode.KEY:
        if "app_cert_sn" in parameters:
            raise invalid("isv.app-cert-not-exist", "应用未使用公钥证书模式")
        return alipay_merchants.plain_key(merchant)
    if not parameters.get("app_cert_sn"):
        raise missing("isv.missing-app-cert-sn", "应用公钥证书序列号")
    if not parameters.get("alipay_root_cert_sn"):
        raise missing("isv.missing-alipay-root-cert-sn", "支付宝根证书序列号")
    if parameters["alipay_root_cert_sn"] != alipay_keys.root_certificate_sn(world.alipay.root_bundle_pem):
        raise invalid("isv.invalid-alipay-root-cert-sn", "支付宝根证书序列号错误")
    key = alipay_merchants.certified_key(world, merchant, parameters["app_cert_sn"])
    if key is None:
        raise invalid("isv.app-cert-not-exist", "应用公钥证书不存在或已失效")
    return key


def _check_signature(parameters: Mapping[str, str], charset: str, key: rsa.RSAPublicKey) -> None:
    text = alipay_keys.request_text(parameters)
    if not keys.verify(key, text.encode(charset, errors="replace"), parameters["sign"]):
        raise AlipayError("40002", "isv.invalid-signature", WRONG_SIGNATURE + text.replace("&", "&amp;"))


def _check_names(parameters: Mapping[str, str]) -> None:
    for name in parameters:
        if name not in COMMON:
            raise attack(f"未定义的参数{name}")
    for name in ("notify_url", "return_url"):
        if len(parameters.get(name, "")) > URL_LONGEST:
            raise AlipayError("40002", "isv.invalid-parameter", f"{name}长度超过{URL_LONGEST}")
