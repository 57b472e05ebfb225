"""`linli demo`: the whole system from an empty directory, one month over HTTP, every figure compared."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.stage import Stage, yuan
from demo.web import Unexpected, Web


@pytest.mark.timeout(300)
def test_the_demo_plays_its_month_on_a_system_of_its_own(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
    played = subprocess.run(
        [sys.executable, "-m", "backend.cli", "demo"],
        env=bare | {"LINLI_DATA_DIR": str(tmp_path / "data")},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
    )
    told = played.stdout + played.stderr
    assert played.returncode == 0, told
    for figure in (
        "新增 12 套房屋，小区共 212 套",
        "三笔账单同时变为已缴",
        "两分钟后",
        "被拒绝，账单仍未缴",
        "挂在待查款项",
        "微信支付原路退回",
        "向微信核实后自动原路退回",
        "支付宝原路退回",
        "同一个凭证号再录一次，被拒绝",
        "交班清点多出 1.00 元",
        "用微信预存物业费 1,000.00 元",
        "扫门口的缴费码",
        "埋下的 24 处差错全部找到，名称都对，一处不多，一处不少",
        "账单、账簿、渠道三方一致",
        "屏幕显示“请先缴清物业费”",
        "按“进场”，道闸抬起，记为“无牌车”",
        "同一部手机扫出口的车道码",
        "支付宝的通知一到，道闸就收到指令抬杆",
        "仍合成一条停车记录：停了 20 分钟，免费",
        "停车收入 45.00 元，与账簿一致；场内还有 2 辆月租车，空余车位 18 个",
        "与停车费对账，没有一处差异",
        "有人拿动态码的截图来扫，门没有开",
        "北门多放的一次列为冲突",
        "在手机上点“同意”，保安放行，西门打开",
        "系统列为逾时",
        "看到的都没有姓名、电话和房屋",
        "改报 100.00 元，旧报价不能再点同意",
        "2 个阀芯从师傅的随身库存里扣掉",
        "用微信支付维修费 100.00 元，应收结清",
        "15 步进度双方看到的一致",
        "系统按值班表派单；住户催了一次",
        "两张工单都挂在公告下",
        "别的网站拿着同一个登录发请求，被拒绝",
        "核实后确认隐藏",
        "三个时限都按时",
        "系统自动用预存款缴清",
    ):
        assert figure in told
    assert "linli check：共" in told and "全部相符" in told
    assert "演示通过" in told


def test_a_figure_that_is_off_ends_the_demo_by_name() -> None:
    stage = Stage(Web("http://127.0.0.1:9"), Web("http://127.0.0.1:9"), Path(), {})
    stage.expect("房屋数", 200, 200)
    with pytest.raises(Unexpected, match="“房屋数”应为 200，实际是 199"):
        stage.expect("房屋数", 199, 200)
    assert stage.checks == 2


def test_amounts_as_people_read_them() -> None:
    assert [yuan(fen) for fen in (5, 123_456_789, -50)] == ["0.05 元", "1,234,567.89 元", "-0.50 元"]
