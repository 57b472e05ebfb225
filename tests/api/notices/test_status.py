"""The status page: what works, and what staff say of an outage, by command and by route (D11)."""

from datetime import timedelta
from pathlib import Path

import pytest

from backend import cli
from backend.kernel.clock import FrozenClock
from backend.kernel.resources import Resources
from backend.notices import outage
from backend.notices.outage import Outage
from tests import factories
from tests.conftest import Client

JSON = {"Accept": "application/json"}


async def test_the_page_says_what_works_and_what_staff_say(res: Resources, client: Client, clock: FrozenClock) -> None:
    said = Outage("系统管理员", "<b>升级中</b>", clock.now())
    outage.say(res.settings.data_dir, source=outage.PLATFORM, outage=said)
    page = await client.get("/status")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "&lt;b&gt;升级中&lt;/b&gt;" in page.body.decode()
    status = (await client.get("/status", headers=JSON)).json
    assert [part["works"] for part in status["parts"]] == [True, False, True], "no worker is running here"
    assert (status["works"], status["said"][0]["words"]) == (False, "<b>升级中</b>")


async def test_each_company_speaks_for_itself_and_the_latest_stands_first(
    res: Resources, client: Client, clock: FrozenClock
) -> None:
    for code, words in (("AA", "甲公司升级"), ("BB", "乙公司升级")):
        place = await factories.community(res, code)
        admin = client.of((await factories.staff(res, place, "administrator", all_communities=True)).token)
        clock.advance(timedelta(minutes=1))
        assert (await admin.call("PUT", "/admin/v1/outage", {"words": words})).status == 200
    assert [one["words"] for one in (await client.get("/status", headers=JSON)).json["said"]] == [
        "乙公司升级", "甲公司升级",
    ]  # fmt: skip
    assert (await admin.call("DELETE", "/admin/v1/outage")).status == 200
    assert [one["words"] for one in (await client.get("/status", headers=JSON)).json["said"]] == ["甲公司升级"]
    actions = [row["action"] for row in await res.db.fetch("SELECT action FROM audit_entry ORDER BY id")]
    assert actions == ["outage.said", "outage.said", "outage.cleared"]


def test_the_command_says_shows_and_clears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINLI_DATA_DIR", str(tmp_path))
    assert cli.main(["outage", "say", "机房停电，预计两小时恢复"]) == 0
    assert cli.main(["outage", "show"]) == 0
    assert "系统管理员：机房停电，预计两小时恢复" in capsys.readouterr().out
    assert cli.main(["outage", "say", " "]) == 1
    assert cli.main(["outage", "clear"]) == 0
    assert outage.said(tmp_path) == []


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / outage.FOLDER).mkdir()
    (tmp_path / outage.FOLDER / "platform.json").write_text("{")
    (tmp_path / outage.FOLDER / "other.json").write_text('{"who": "甲", "words": "乙", "said_at": 5}')
    assert outage.said(tmp_path) == []
    assert outage.said(tmp_path / "nothing") == []
