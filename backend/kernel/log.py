"""Logs: one JSON object per line on stderr, without personal data and secrets, whatever a caller passes.

Redaction comes after everything that a caller or a library (through `logging`) adds, the text of exceptions included.
Keys that name personal data or a secret lose their value; in other texts, phone numbers, id numbers, plates and secrets
in the form `name=value` are masked. A line that cannot be written is counted and dropped: a full disk must not stop a
payment.
"""

import logging
import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

import orjson
import structlog
from structlog.contextvars import bound_contextvars
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from backend.kernel import metrics

HIDDEN = "***"
_MAX_DEPTH = 6
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

# A key is sensitive when one of its words is in the first set, or its last word in the second.
_SENSITIVE_WORDS = frozenset(
    {
        "authorization",
        "ciphertext",
        "cookie",
        "idcard",
        "mobile",
        "nickname",
        "openid",
        "passwd",
        "password",
        "phone",
        "plaintext",
        "plate",
        "pwd",
        "secret",
        "token",
        "totp",
        "unionid",
    }
)
_SENSITIVE_LAST_WORDS = frozenset(
    {"address", "body", "card", "code", "content", "key", "name", "note", "number", "remark", "signature", "text"}
)
_HARMLESS_KEYS = frozenset(
    {
        "error_code",
        "event_name",
        "exit_code",
        "file_name",
        "host_name",
        "idempotency_key",
        "job_name",
        "rule_name",
        "stable_key",
        "status_code",
        "storage_key",
        "table_name",
    }
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领"
_NAMED = (
    r"access_?token|refresh_?token|token|app_?secret|secret|password|passwd|session_?key|api_?v3_?key|master_key|openid|"
    r"unionid|cookie|id_?number|id_?card|phone|phone_?number|mobile|plate|real_?name|nick_?name|name"
)
# Most texts hold none of this and are done after one search; a number of a phone has eleven digits, others have more.
_SUSPECT = re.compile(rf"[=:(]|\d{{3}}[ -]?\d{{4}}[ -]?\d{{4}}|-----|[Bb]earer|WECHATPAY2|[{_PROVINCES}]")
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)(\bauthorization[\"']?\s*[=:]\s*)[^\r\n]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(WECHATPAY2-[\w-]+|[Bb]earer)\s+[^\r\n]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"), HIDDEN),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s/@]+@"), rf"\1:{HIDDEN}@"),
    # What pydantic and PostgreSQL quote of a refused value.
    (re.compile(r"(?s)input_value=.*?(?=, input_type=|$)"), f"input_value={HIDDEN}"),
    (re.compile(r"(Key \([^)]*\)=\().*?(?=\) (?:already|is|conflicts)|$)"), rf"\1{HIDDEN}"),
    (re.compile(r"(Failing row contains \().*"), rf"\1{HIDDEN}"),
    # name=value and "name": "value"
    (
        re.compile(
            rf"(?i)(\b(?:\w+_)?(?:{_NAMED})[\"']?\s*[=:]\s*)"
            r"(\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s&,;}\])\"']+)"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?i)(\b(?:\w+_)?code[\"']?\s*[=:]\s*[\"']?)(?:[\w-]{16,}|\d{6}\b)"), rf"\1{HIDDEN}"),
    # Mobile numbers, id numbers, plates.
    (re.compile(r"(?<!\d)((?:\+?86[- ]?)?1[3-9]\d)[- ]?\d{4}[- ]?(\d{4})(?!\d)"), r"\1****\2"),
    (re.compile(r"(?<![0-9A-Za-z])(\d{6})\d{11}[0-9Xx](?![0-9A-Za-z])"), r"\1************"),
    (
        re.compile(
            rf"[{_PROVINCES}][A-HJ-NP-Z][·-]?"
            r"[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳]"
        ),
        "[车牌]",
    ),
)


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of module `name`; call it as `log.info("what happened", key=value)`."""
    logger: FilteringBoundLogger = structlog.get_logger(source=name)
    return logger


def bound(**values: Any) -> AbstractContextManager[Any]:
    """Within the `with`, every line of this task carries `values`, such as `request_id`."""
    return bound_contextvars(**values)


def configure(level: str) -> None:
    """Send this process's logs, and those of its libraries, as JSON to stderr from `level` on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_FromLibraries()]
    root.setLevel(_LEVELS[level])
    logging.captureWarnings(True)


@lru_cache(maxsize=1024)
def is_sensitive(key: str) -> bool:
    """Whether a value under `key` is personal data or a secret, and never written."""
    snake = _CAMEL.sub("_", key).replace("-", "_").lower()
    words = snake.split("_")
    return snake not in _HARMLESS_KEYS and (
        words[-1] in _SENSITIVE_LAST_WORDS or not _SENSITIVE_WORDS.isdisjoint(words)
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The processor after which only level and time are added."""
    return {key: HIDDEN if is_sensitive(key) else _clean(value, 1) for key, value in event.items()}


def redact_text(text: str) -> str:
    """`text` without phone numbers, id numbers, plates and secrets that can be told by their form."""
    if _SUSPECT.search(text):
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
    return text


def _clean(value: Any, depth: int) -> Any:
    if type(value) is str:
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {str(key): HIDDEN if is_sensitive(str(key)) else _clean(item, depth + 1) for key, item in value.items()}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth + 1) for item in value]
    return redact_text(str(value))


class _Lines:
    """Writes finished lines to stderr; what cannot be written is counted."""

    def msg(self, line: bytes) -> None:
        try:
            sys.stderr.buffer.write(line + b"\n")
            sys.stderr.buffer.flush()
        except (OSError, ValueError, AttributeError):
            metrics.log_lines_lost.inc()

    debug = info = warning = error = critical = exception = msg


class _FromLibraries(logging.Handler):
    """Hands records of `logging` over, so that they get the same form and the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min((max(record.levelno, logging.DEBUG) // 10) * 10, logging.ERROR)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        get_logger(record.name).log(level, message, exc_info=record.exc_info)
