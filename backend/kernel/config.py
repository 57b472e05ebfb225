"""Settings of one process, read once from the environment (`LINLI_*`), checked before anything starts."""

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from backend.kernel import problems

PREFIX = "LINLI_"
ALIPAY_SANDBOX = ".alipaydev.com"


class ConfigError(Exception):
    """The settings do not allow a start; the text says which and what to do, in Chinese."""


class Mode(StrEnum):
    """`sandbox` runs with no account at all; `live` refuses everything that belongs to the sandbox."""

    SANDBOX = "sandbox"
    LIVE = "live"


# Settings that name a site; in live mode none of them may be the sandbox's.
SITES = ("public_url", "wechat_api_url", "wechat_open_url", "wechat_mp_url", "wechat_pay_url", "alipay_url")


class Settings(BaseModel):
    """All settings. Names on the environment are the field names in capitals with the prefix `LINLI_`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = Mode.SANDBOX
    data_dir: Path = Path(".linli")
    database_url: str | None = Field(None, description="PostgreSQL for the app role; embedded when missing")
    migrator_url: str | None = Field(None, description="PostgreSQL for the role that owns the schema")
    redis_url: str | None = Field(None, description="Redis; embedded when missing")
    master_key: SecretStr | None = Field(None, description="64 hex digits; wraps the data keys")
    previous_master_key: SecretStr | None = Field(None, description="accepted while keys are rotated")
    public_url: str = "http://127.0.0.1:8080"
    more_urls: str = Field("", description="further addresses of this site, with commas; browsers may return there")
    http_host: str = "127.0.0.1"
    http_port: int = Field(8080, ge=1, le=65535)
    sandbox_port: int = Field(8090, ge=1, le=65535)
    trusted_proxies: int = Field(0, ge=0, le=5, description="proxies in front whose X-Forwarded-For counts")
    wechat_api_url: str = "https://api.weixin.qq.com"
    wechat_open_url: str = Field("https://open.weixin.qq.com", description="where a browser in WeChat logs in (OAuth)")
    wechat_mp_url: str = Field("https://mp.weixin.qq.com", description="where WeChat shows codes with a scene")
    wechat_pay_url: str = "https://api.mch.weixin.qq.com"
    alipay_url: str = Field(
        "https://openapi.alipay.com", description="origin of Alipay's gateway, /gateway.do below it"
    )
    database_pool: int = Field(10, ge=1, le=100)
    statement_timeout_s: int = Field(10, ge=1, le=600)
    lock_timeout_s: int = Field(4, ge=1, le=60)
    request_timeout_s: int = Field(30, ge=1, le=55, description="an answer takes no longer; uploads may")
    job_timeout_s: int = Field(60, ge=1, le=60)
    lease_s: int = Field(90, ge=1, le=600, description="how long a claimed outbox row belongs to its worker")
    storage_url: str | None = Field(None, description="s3://bucket?endpoint=…; a local directory when missing")
    storage_key: SecretStr | None = Field(None, description="access key of storage_url")
    storage_secret: SecretStr | None = Field(None, description="its secret")
    pdf_font: Path | None = Field(None, description="a Chinese TrueType font for PDF; the system's when missing")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    failpoints: str = Field("", description="sandbox mode only: name=action,… (tests)")
    company_name: str = "邻里示范物业服务有限公司"

    @field_validator("database_url", "migrator_url", mode="after")
    @classmethod
    def _names_a_database(cls, url: str | None) -> str | None:
        return _address(url, ("postgresql", "postgres"), "postgresql://用户名:密码@主机:5432/数据库名", named=True)

    @field_validator("redis_url", mode="after")
    @classmethod
    def _names_a_redis(cls, url: str | None) -> str | None:
        return _address(url, ("redis", "rediss"), "redis://主机:6379/0")

    @field_validator(*SITES, mode="after")
    @classmethod
    def _names_a_site(cls, url: str) -> str:
        _address(url, ("http", "https"), "https://主机")
        return url

    @field_validator("more_urls", mode="after")
    @classmethod
    def _names_sites(cls, urls: str) -> str:
        for url in filter(None, urls.split(",")):
            _address(url, ("http", "https"), "https://主机,https://主机")
        return urls

    @property
    def sites(self) -> tuple[str, ...]:
        """The addresses of this site, without a slash at the end, the public one first."""
        return tuple(url.rstrip("/") for url in (self.public_url, *filter(None, self.more_urls.split(","))))

    @model_validator(mode="after")
    def _live_refuses_the_sandbox(self) -> Self:
        if self.mode is Mode.SANDBOX:
            return self
        if self.failpoints:
            raise ValueError("failpoints：正式环境不允许设置故障点。")
        if self.master_key is None:
            raise ValueError("master_key：正式环境必须设置主密钥 LINLI_MASTER_KEY（64 位十六进制）。")
        if self.database_url is None or self.redis_url is None:
            raise ValueError("database_url、redis_url：正式环境必须给出 PostgreSQL 和 Redis 的地址。")
        named = [(name, getattr(self, name)) for name in SITES]
        for name, url in (*named, *(("more_urls", site) for site in self.sites)):
            parts = urlsplit(url)
            if parts.scheme != "https" or _is_of_sandbox(parts.hostname or ""):
                raise ValueError(f"{name}：正式环境必须使用 https 的公网地址，不能指向沙箱。")
        return self

    @model_validator(mode="after")
    def _master_key_is_32_bytes(self) -> Self:
        for key in (self.master_key, self.previous_master_key):
            if key is not None:
                text = key.get_secret_value()
                try:
                    size = len(bytes.fromhex(text))
                except ValueError:
                    size = 0
                if size != 32:
                    raise ValueError("master_key：主密钥应为 64 位十六进制数字。")
        return self

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Settings of `environ`; ConfigError names every unknown or wrong variable."""
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and value != ""
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            lines = [cls._problem(item) for item in error.errors(include_input=False, include_url=False)]
            raise ConfigError("启动设置有误：\n" + "\n".join(lines)) from None

    @classmethod
    def _problem(cls, item: Mapping[str, Any]) -> str:
        if not item["loc"]:
            return f"  {problems.sentence(item)}"
        name = str(item["loc"][0])
        if item["type"] != "extra_forbidden":
            return f"  {_variable(name)}：{problems.sentence(item)}"
        near = get_close_matches(name, cls.model_fields, n=1)
        return f"  {_variable(name)}：没有这个设置，请检查名字。" + (f"是不是 {_variable(near[0])}？" if near else "")


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _address(url: str | None, schemes: tuple[str, ...], example: str, *, named: bool = False) -> str | None:
    """`url` where it has one of `schemes`, a host and a readable port; the message never repeats it (passwords)."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        readable = parts.port != 0 and parts.scheme in schemes and bool(parts.hostname)
    except ValueError:
        readable = False
    if not readable or (named and not parts.path.strip("/")):
        raise ValueError(f"地址的写法不对，应如 {example}。")
    return url


def _is_of_sandbox(host: str) -> bool:
    """This machine, where our sandbox lives, and Alipay's own sandbox."""
    if host == "localhost" or host.endswith(ALIPAY_SANDBOX):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
