"""No personal data and no secret reaches the log, on whatever path it comes (reliability.md section 3, "secrets")."""

import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, ValidationError

from backend.kernel import log, metrics

SECRETS = (
    "13812346666",
    "张三丰",
    "110101199003071234",
    "京A12345",
    "oABCdef123456",
    "s3cr3t-value",
)
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsysbinary: pytest.CaptureFixture[bytes]) -> Iterator[Lines]:
    written = bytearray()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.configure("info")

    def read() -> list[dict[str, Any]]:
        written.extend(capsysbinary.readouterr().err)
        text = written.decode()
        for secret in SECRETS:
            assert secret not in text
        return [json.loads(line) for line in text.splitlines()]

    yield read
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_line_is_one_json_object_with_level_time_and_source(lines: Lines) -> None:
    log.get_logger("payments.settlement").info("settled", amount_fen=12_345)
    (line,) = lines()
    assert line["event"] == "settled"
    assert line["level"] == "info"
    assert line["source"] == "payments.settlement"
    assert line["amount_fen"] == 12_345
    assert line["timestamp"].endswith("Z")


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    log.get_logger("x").debug("hidden")
    logging.getLogger("library").debug("hidden")
    assert lines() == []


def test_every_line_of_a_request_carries_its_id(lines: Lines) -> None:
    with log.bound(request_id="r-1"):
        log.get_logger("x").info("inside")
        logging.getLogger("library").info("library inside")
    log.get_logger("x").info("outside")
    assert [line.get("request_id") for line in lines()] == ["r-1", "r-1", None]


@pytest.mark.parametrize(
    "key",
    [
        "phone", "owner_phone", "phone_number", "phoneNumber", "purePhoneNumber", "mobile", "name", "real_name",
        "resident_name", "nickName", "id_number", "id_card", "plate", "plate_number", "openid", "payer_openid",
        "unionid", "token", "access_token", "session_token", "secret", "app_secret", "appSecret", "Authorization",
        "authorization", "password", "code", "js_code", "totp_code", "session_key", "sessionKey", "api_v3_key",
        "private_key", "master_key", "body", "raw_body", "Cookie", "set-cookie", "address", "Wechatpay-Signature",
        "plaintext", "note",
    ],
)  # fmt: skip
def test_a_sensitive_key_loses_its_value(lines: Lines, key: str) -> None:
    log.get_logger("x").info("happened", **{key: "s3cr3t-value"})
    log.get_logger("x").info("nested", details={"items": [{key: "s3cr3t-value"}]})
    first, second = lines()
    assert first[key] == "***"
    assert second["details"]["items"][0][key] == "***"


@pytest.mark.parametrize(
    "key", ["amount_fen", "bill_id", "status_code", "error_code", "idempotency_key", "attempt", "event_name", "host"]
)
def test_a_harmless_key_keeps_its_value(lines: Lines, key: str) -> None:
    log.get_logger("x").info("happened", **{key: "v1"})
    assert lines()[0][key] == "v1"


@pytest.mark.parametrize(
    "text",
    [
        "call 13812346666 now",
        "call +86 138 1234 6666",
        "call 138-1234-6666",
        "电话13812346666，姓名",
        "GET https://api.weixin.qq.com/x?access_token=s3cr3t-value&a=1",
        "GET /sns/jscode2session?appid=wx1&secret=s3cr3t-value&js_code=0123456789abcdef0123",
        '{"session_key":"s3cr3t-value","openid":"oABCdef123456"}',
        "{'app_secret': 's3cr3t-value'}",
        '{"phoneNumber": "13812346666", "purePhoneNumber": "13812346666"}',
        "Person(name='张三丰', phone='13812346666')",
        "Authorization: Bearer s3cr3t-value",
        'authorization=WECHATPAY2-SHA256-RSA2048 mchid="1",signature="s3cr3t-value"',
        'sent WECHATPAY2-SHA256-RSA2048 mchid="1",signature="s3cr3t-value"',
        "header Bearer s3cr3t-value",
        "postgresql://linli:s3cr3t-value@127.0.0.1:5432/linli",
        "redis://:s3cr3t-value@127.0.0.1:6379",
        "password=s3cr3t-value",
        'password: "s3cr3t-value with spaces"',
        "id 110101199003071234 refused",
        "car 京A12345 arrived",
        "Key (name)=(张三丰) already exists.",
        "Failing row contains (1, 张三丰, s3cr3t-value).",
        "-----BEGIN PRIVATE KEY-----\ns3cr3t-value\n-----END PRIVATE KEY-----",
    ],
)
def test_a_text_loses_what_can_be_told_by_its_form(lines: Lines, text: str) -> None:
    log.get_logger("x").info(text)
    log.get_logger("x").info("happened", detail=text, many=[text, (text,)], one=ValueError(text))
    logging.getLogger("library").warning("said %s", text)
    assert len(lines()) == 3
    assert "js_code=0123456789abcdef0123" not in json.dumps(lines())


def test_a_masked_phone_still_tells_calls_apart(lines: Lines) -> None:
    log.get_logger("x").info("call 13812346666")
    assert lines()[0]["event"] == "call 138****6666"


@pytest.mark.parametrize(
    "text",
    [
        "bill issued",
        "0190f3c1-7c1f-7aaa-8aaa-aaaaaaaaaaaa",
        "2026-03-01T04:00:15.123456Z",
        "4200001234202603011234567890",
        "status code: 500",
        "errcode=40001",
        "took 1712345678901 ms",
    ],
)
def test_an_ordinary_text_is_kept(lines: Lines, text: str) -> None:
    log.get_logger("x").info("happened", detail=text)
    assert lines()[0]["detail"] == text


def test_the_text_of_an_exception_is_redacted(lines: Lines) -> None:
    def fail() -> None:
        try:
            raise KeyError("access_token=s3cr3t-value")
        except KeyError as error:
            raise ValueError("no account of 13812346666") from error

    try:
        fail()
    except ValueError:
        log.get_logger("x").exception("failed")
        logging.getLogger("library").exception("failed")
    ours, theirs = lines()
    for line in (ours, theirs):
        assert "no account of 138****6666" in line["exception"]
        assert "access_token=***" in line["exception"]


def test_what_pydantic_quotes_of_a_refused_value_is_redacted(lines: Lines) -> None:
    class Form(BaseModel):
        age: int

    sent = {"age": SECRETS[1]}
    try:
        Form.model_validate(sent)
    except ValidationError:
        log.get_logger("x").exception("refused")
    assert "input_value=***" in lines()[0]["exception"]


def test_bytes_and_warnings_and_deep_values_are_redacted(lines: Lines) -> None:
    deep: Any = "13812346666"
    for _ in range(10):
        deep = {"inner": deep}
    log.get_logger("x").info("raw", payload=b"s3cr3t-value", deep=deep)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old phone 13812346666", stacklevel=1)
    assert lines()[0]["payload"] == "[12 bytes]"
    assert len(lines()) == 2


def test_a_record_with_wrong_arguments_is_still_redacted(lines: Lines) -> None:
    log._FromLibraries().emit(
        logging.makeLogRecord({"msg": "phone=13812346666 %d", "args": ("x",), "name": "library", "levelno": 30})
    )
    assert lines()[0]["event"].startswith("phone=***")


def test_a_log_target_that_is_gone_stops_nobody(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise BrokenPipeError

    before = metrics.log_lines_lost._value.get()
    monkeypatch.setattr(sys, "stderr", type("Stream", (), {"buffer": Gone()})())
    log.get_logger("x").info("settled")
    assert metrics.log_lines_lost._value.get() == before + 1
