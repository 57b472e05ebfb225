"""What is wrong with a value, in Chinese: one table for the settings of a process and for the fields of a request.

Promises: a person never reads the validator's English, and never sees the value itself, which may be a secret or
personal data. Kinds are those of pydantic; the ones that the table leaves out have one general sentence.
"""

from collections.abc import Mapping
from typing import Any

GENERAL = "这个值不正确，请检查后重新填写。"

_WHOLE = "应是一个整数。"
_FRACTION = "应是一个数字。"
_TEXT = "应是一段文字。"
_SWITCH = "应是 true 或 false。"
_DAY = "应是日期，写法如 2026-09-01。"
_INSTANT = "应是带时区的时间，写法如 2026-09-01T10:00:00+08:00。"
_CLOCK = "应是时刻，写法如 08:30。"
_SPAN = "应是一段时间。"
_UUID = "应是 36 个字符的编号。"
_LIST = "应是一个列表。"
_OBJECT = "应是一个对象。"
_ADDRESS = "应是一个网址。"

_TEXTS: Mapping[str, str] = {
    "missing": "必须填写。",
    "extra_forbidden": "没有这一项，请检查名字是否写错。",
    "json_invalid": "不是有效的 JSON。",
    "json_type": "应是 JSON 文字。",
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "none_required": "这一项应当空着。",
    "greater_than": "应大于 {gt}。",
    "greater_than_equal": "不能小于 {ge}。",
    "less_than": "应小于 {lt}。",
    "less_than_equal": "不能大于 {le}。",
    "multiple_of": "应是 {multiple_of} 的倍数。",
    "finite_number": "应是一个有限的数字。",
    "too_short": "至少要有 {min_length} 项。",
    "too_long": "最多 {max_length} 项。",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "string_type": _TEXT,
    "string_unicode": "文字里有不能识别的字符。",
    "string_too_short": "至少要有 {min_length} 个字符。",
    "string_too_long": "最多 {max_length} 个字符。",
    "string_pattern_mismatch": "格式不对，请检查后重新填写。",
    "string_not_ascii": "只能使用英文字母、数字和半角符号。",
    "enum": "只能是其中之一：{expected}。",
    "literal_error": "只能是其中之一：{expected}。",
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": "这个整数太大了。",
    "int_from_float": "应是一个整数，不能带小数。",
    "float_type": _FRACTION,
    "float_parsing": _FRACTION,
    "decimal_type": _FRACTION,
    "decimal_parsing": _FRACTION,
    "decimal_max_digits": "总位数不能超过 {max_digits} 位。",
    "decimal_max_places": "小数不能超过 {decimal_places} 位。",
    "decimal_whole_digits": "整数部分不能超过 {whole_digits} 位。",
    "bytes_type": _TEXT,
    "bytes_too_short": "至少要有 {min_length} 个字节。",
    "bytes_too_long": "最多 {max_length} 个字节。",
    "bytes_invalid_encoding": "内容的编码不对。",
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
    "date_past": "应是过去的日期。",
    "date_future": "应是将来的日期。",
    "time_type": _CLOCK,
    "time_parsing": _CLOCK,
    "datetime_type": _INSTANT,
    "datetime_parsing": _INSTANT,
    "datetime_object_invalid": _INSTANT,
    "datetime_from_date_parsing": _INSTANT,
    "datetime_past": "应是过去的时间。",
    "datetime_future": "应是将来的时间。",
    "timezone_naive": _INSTANT,
    "timezone_aware": _INSTANT,
    "timezone_offset": _INSTANT,
    "time_delta_type": _SPAN,
    "time_delta_parsing": _SPAN,
    "union_tag_invalid": "类别只能是其中之一：{expected_tags}。",
    "union_tag_not_found": "没有写明类别。",
    "url_type": _ADDRESS,
    "url_parsing": _ADDRESS,
    "url_syntax_violation": _ADDRESS,
    "url_too_long": "网址最多 {max_length} 个字符。",
    "url_scheme": "网址应以其中之一开头：{expected_schemes}。",
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "uuid_version": _UUID,
    "path_type": "应是一个路径。",
}
# Raised by our own validators: their text is Chinese and complete.
_OURS = "value_error"


def sentence(problem: Mapping[str, Any]) -> str:
    """One sentence for one entry of `ValidationError.errors()`, without the value that was given."""
    kind, context = str(problem["type"]), problem.get("ctx", {})
    if kind == _OURS:
        return str(context.get("error", GENERAL))
    return _TEXTS.get(kind, GENERAL).format_map({name: _plain(value) for name, value in context.items()})


def _plain(value: Any) -> str:
    """What a rule allows, without the quotes and the English of the validator."""
    return str(value).replace("'", "").replace(", ", "、").replace(" or ", " 或 ")
