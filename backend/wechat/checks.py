"""Invariants of WeChat's accounts: their secrets are sealed (I-24)."""

from backend.kernel import seals
from backend.kernel.checks import Check
from backend.wechat.models import SEALED

CHECKS: tuple[Check, ...] = (seals.check("小程序和公众号的密钥只存密文，所用的数据密钥都在", SEALED),)
