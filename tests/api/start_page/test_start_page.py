"""The start page: sandbox mode only, everything escaped, parts that are away shown as away."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from backend import start_page
from backend.kernel import clock, passwords
from backend.kernel.auth import ANONYMOUS
from backend.kernel.config import Mode
from backend.kernel.errors import NotFound
from backend.kernel.http import Call
from backend.kernel.resources import Resources
from backend.seeding import demo_file
from backend.seeding.demo_file import Demo, ResidentLogin, StaffLogin
from tests.conftest import Client, Run
from tests.factories import APPID

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def call_over(res: Resources) -> Call[None, None]:
    return Call(
        principal=ANONYMOUS, res=res, route=start_page.ROUTES[0], ids={}, path={}, body=None, query=None, raw=b"",
        headers={}, client_ip="127.0.0.1", request_id="r",
    )  # fmt: skip


@pytest.fixture
def demo(res: Resources, run: Run) -> Iterator[Demo]:
    made = Demo(
        base_offset_s=0,
        staff=[
            StaffLogin("manager", "<b>林</b>", "manager", "项目经理", 'p&ss"word', SECRET),
            StaffLogin("guard", "孙强", "guard", "保安", "secret-2", None),
        ],
        residents=[ResidentLogin("u_1", "<script>alert(1)</script>", "13900000001", "1栋101", "owner", "inbox")],
        miniprogram=APPID,
        official="wx1",
        mchid="1900000001",
        community="邻里<花园>",
        complete=True,
    )
    demo_file.write(res.settings.data_dir, made)
    yield made


async def test_it_shows_logins_codes_and_time(demo: Demo, res: Resources, client: Client) -> None:
    answer = await client.get("/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.body.decode()
    assert passwords.totp_code(SECRET, at=res.clock.now()) in page
    assert "2026-09-01 10:00:00" in page
    assert "secret-2" in page and "13900000001" in page


async def test_everything_shown_is_escaped(demo: Demo, client: Client) -> None:
    answer = await client.get("/")
    page = answer.body.decode()
    assert "<script" not in page and "<b>林" not in page and "邻里<花园>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "p&amp;ss&quot;word" in page
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_parts_that_are_away_are_shown_as_away(res: Resources, client: Client) -> None:
    page = (await client.get("/")).body.decode()
    assert '<li class="ok">PostgreSQL：正常' in page
    assert '<li class="ok">Redis：正常</li>' in page
    assert '<li class="bad">沙箱：没有响应</li>' in page
    assert '<li class="bad">后台任务：没有响应</li>' in page


async def test_a_worker_that_did_something_lately_is_shown(res: Resources, client: Client) -> None:
    await res.db.execute(
        "INSERT INTO periodic_run (name, period, state, started_at, finished_at) VALUES ('t', 'p', 'DONE', $1, $1)",
        res.clock.now(),
    )
    assert '<li class="ok">后台任务：正常</li>' in (await client.get("/")).body.decode()


async def test_a_moved_clock_is_told(res: Resources, client: Client) -> None:
    clock.write_offset_s(res.settings.data_dir, 3 * 86_400 + 3_600)
    assert "比实际时间快 3 天 1 小时" in (await client.get("/")).body.decode()


async def test_live_mode_has_no_start_page(demo: Demo, res: Resources) -> None:
    live = replace(res, settings=res.settings.model_copy(update={"mode": Mode.LIVE}))
    with pytest.raises(NotFound) as refused:
        await start_page.show(call_over(live))
    assert refused.value.code == "no_such_route"


async def test_a_paper_code_can_be_opened(demo: Demo, res: Resources, client: Client) -> None:
    assert "/p/" not in (await client.get("/")).body.decode()
    demo_file.write(res.settings.data_dir, replace(demo, pay_code="7QK2M9XRPA"))
    assert 'href="/p/7QK2M9XRPA"' in (await client.get("/")).body.decode()


async def test_the_car_park_says_how_to_play_its_cameras(demo: Demo, res: Resources, client: Client) -> None:
    cameras = {"in": "/device/v1/cameras/zhenshi/1/k<1", "out": "/device/v1/cameras/zhenshi/2/k2"}
    demo_file.write(res.settings.data_dir, replace(demo, lot_id="lot-1", cameras=cameras))
    page = (await client.get("/")).body.decode()
    assert f"--url {res.settings.public_url}/device/v1/cameras/zhenshi/1/k&lt;1" in page
    assert f"--out --url {res.settings.public_url}/device/v1/cameras/zhenshi/2/k2" in page
    assert "lot-1" in page
