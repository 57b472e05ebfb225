"""Settings: what is unknown or wrong is named in Chinese, all at once, and no secret is repeated."""

import re

import pytest
from pydantic_core._pydantic_core import list_all_errors

from backend.kernel import problems
from backend.kernel.config import ConfigError, Mode, Settings

KEY = "ab" * 32
LIVE = {
    "LINLI_MODE": "live",
    "LINLI_MASTER_KEY": KEY,
    "LINLI_DATABASE_URL": "postgresql://linli@db:5432/linli",
    "LINLI_REDIS_URL": "redis://cache:6379/0",
    "LINLI_PUBLIC_URL": "https://wuye.example.cn",
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def _refused(**environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env(environ)
    return str(caught.value)


def test_an_empty_environment_is_the_sandbox_and_strangers_variables_do_not_matter() -> None:
    assert Settings.from_env({"PATH": "/bin", "LINLI_DATABASE_URL": ""}).mode is Mode.SANDBOX


def test_every_unknown_and_wrong_variable_is_named_at_once() -> None:
    said = _refused(LINLI_HTTP_PROT="1", LINLI_HTTP_PORT="abc", LINLI_MODE="prod", LINLI_TRUSTED_PROXIES="9")
    assert said.splitlines()[0] == "启动设置有误："
    assert set(said.splitlines()[1:]) == {
        "  LINLI_MODE：只能是其中之一：sandbox 或 live。",
        "  LINLI_HTTP_PORT：应是一个整数。",
        "  LINLI_TRUSTED_PROXIES：不能大于 5。",
        "  LINLI_HTTP_PROT：没有这个设置，请检查名字。是不是 LINLI_HTTP_PORT？",
    }


@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATOR_URL", "REDIS_URL", "PUBLIC_URL", "WECHAT_PAY_URL"])
@pytest.mark.parametrize("value", ["geheim", "ftp://u:geheim@host/x", "postgresql://u:geheim@host:port/x", "http://"])
def test_an_address_that_cannot_be_read_is_named_and_not_repeated(name: str, value: str) -> None:
    said = _refused(**{f"LINLI_{name}": value})
    assert f"LINLI_{name}：地址的写法不对" in said
    assert "geheim" not in said


def test_a_master_key_that_is_none_is_not_repeated() -> None:
    said = _refused(LINLI_MASTER_KEY="geheim")
    assert "64 位十六进制" in said
    assert "geheim" not in said


def test_live_mode_starts_with_real_addresses() -> None:
    assert Settings.from_env(LIVE).mode is Mode.LIVE


@pytest.mark.parametrize(
    "change",
    [
        {"LINLI_MASTER_KEY": ""},
        {"LINLI_DATABASE_URL": ""},
        {"LINLI_REDIS_URL": ""},
        {"LINLI_PUBLIC_URL": "http://wuye.example.cn"},
        {"LINLI_WECHAT_API_URL": "http://127.0.0.1:8090"},
        {"LINLI_WECHAT_PAY_URL": "https://localhost:8090"},
        {"LINLI_FAILPOINTS": "tx.before_commit=raise"},
    ],
)
def test_live_mode_refuses_what_belongs_to_the_sandbox(change: dict[str, str]) -> None:
    assert "正式环境" in _refused(**(LIVE | change))


@pytest.mark.parametrize("kind", [entry["type"] for entry in list_all_errors() if entry["type"] != "value_error"])
def test_every_kind_of_problem_has_a_chinese_sentence(kind: str) -> None:
    entry = next(each for each in list_all_errors() if each["type"] == kind)
    said = problems.sentence({"type": kind, "ctx": entry.get("example_context") or {}})
    assert CHINESE.search(said)
    assert said.endswith("。")
    assert "{" not in said
