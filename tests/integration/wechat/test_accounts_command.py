"""`linli wechat` and `linli menu`: accounts set up without the API, secrets by standard input."""

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from backend import accounts, cli
from backend.kernel.errors import AppError, Invalid, NotFound
from backend.kernel.resources import Resources
from backend.wechat import apps, push_settings
from backend.wechat.push_settings import PushMode
from tests import factories
from tests.factories_account import ENCODING_KEY, GH, OFFICIAL, SECRET, TOKEN


@pytest.fixture
def linli(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What the command starts as a process of its own is the next thing that this process stands for."""

    def run(*words: str, typed: str = "") -> None:
        def started(argv: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
            assert argv[1:3] == ["-m", "backend.accounts"]
            monkeypatch.setattr(sys, "argv", argv[2:])
            return subprocess.CompletedProcess(argv, 0)

        with monkeypatch.context() as patched:
            patched.setattr(cli.subprocess, "run", started)
            patched.setattr(cli.system, "with_servers", lambda settings, env, work: work({}))
            assert cli.main(words) == 0
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))

    return run


async def test_an_account_is_set_up_by_the_command(
    res: Resources, linli: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    await factories.community(res)
    linli("wechat", "register", OFFICIAL, "--kind", "official", typed=f"{SECRET}\n")
    await accounts.work(res.settings)
    assert capsys.readouterr().out == f"公众号 {OFFICIAL} 已登记。\n"
    assert (await apps.app_by_appid(res.db, res.keyring, OFFICIAL)).secret == SECRET

    settings = ("wechat", "push-settings", OFFICIAL, "--original-id", GH)
    linli(*settings, typed=f"{TOKEN}\n{ENCODING_KEY[:-1]}\n")
    with pytest.raises(Invalid) as refused:
        await accounts.work(res.settings)
    assert "encoding_aes_key" in refused.value.message and ENCODING_KEY[:-1] not in refused.value.message
    linli(*settings, typed=f"{TOKEN}\n{ENCODING_KEY}\n")
    await accounts.work(res.settings)
    said = capsys.readouterr().out
    assert f"/wechat/{OFFICIAL}" in said and TOKEN not in said and ENCODING_KEY not in said
    account = await push_settings.account(res.db, res.keyring, OFFICIAL)
    assert (account.token, account.mode, account.original_id) == (TOKEN, PushMode.SAFE, GH)

    linli("wechat", "list")
    await accounts.work(res.settings)
    assert capsys.readouterr().out == f"{OFFICIAL} 公众号 推送：安全模式\n"


@pytest.mark.parametrize(
    "words",
    [
        ("menu", "push", OFFICIAL), ("wechat", "list", "--company", "没有这家公司"),
        ("wechat", "register", "gh_123", "--kind", "official"),
        ("wechat", "push-settings", OFFICIAL, "--original-id", GH),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_a_sentence(
    res: Resources, linli: Callable[..., None], words: tuple[str, ...]
) -> None:
    await factories.community(res)
    linli(*words, typed=f"{TOKEN}\n{ENCODING_KEY}\n")
    with pytest.raises((Invalid, NotFound)) as refused:
        await accounts.work(res.settings)
    assert isinstance(refused.value, AppError) and refused.value.message.endswith("。")
