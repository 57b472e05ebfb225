"""Crashes around the settlement of a callback: F-03, F-04; forged and wrong callbacks: F-10 and the refused ones."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from backend.kernel import failpoints
from backend.kernel.clock import OFFSET_FILE
from backend.kernel.resources import Resources
from tests.conftest import Client, Run, Sandbox
from tests.factories_payments import Stage, stage

pytestmark = pytest.mark.apart

THE_LONG_WAY = ("settle.after_look", "raise40001")
AT_ONCE = ("settle.after_look", "settle.before_write")
BEFORE_COMMIT = (
    "settle.after_inbox",
    "settle.after_lock",
    "settle.before_flush",
    "settle.before_commit",
    "tx.before_flush",
    "tx.before_commit",
)
AFTER_COMMIT = ("tx.after_commit", "callback.before_answer", "http.before_answer")
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def play(sandbox_res: Resources, sandbox: Sandbox, run: Run) -> Stage:
    return run(stage(sandbox_res, sandbox))


async def _untouched(play: Stage, order_id: object, bill: object) -> None:
    assert await play.state(str(order_id)) == "PAYING"
    assert await play.bill_state(bill) == "ISSUED"  # type: ignore[arg-type]
    assert await play.count("inbox") == 0
    assert await play.count("posting WHERE kind = 'bill.paid'") == 0


async def _settled_once(play: Stage, order_id: object, bill: object) -> None:
    assert await play.state(str(order_id)) == "PAID"
    assert await play.bill_state(bill) == "PAID"  # type: ignore[arg-type]
    assert await play.count("inbox") == 1
    assert await play.count("posting WHERE kind = 'bill.paid'") == 1
    assert await play.count("outbox WHERE event = 'payments.paid'") == 1
    assert await play.differences() == []
    await play.balanced()


@pytest.mark.parametrize("point", AT_ONCE + BEFORE_COMMIT)
async def test_f03_what_fails_before_the_commit_leaves_nothing_and_the_repetition_settles(
    play: Stage, sandbox_client: Client, point: str
) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    if point in BEFORE_COMMIT:
        failpoints.arm(*THE_LONG_WAY)
    failpoints.arm(point, "raise", times=1)
    await play.user_pays(order_id)
    await play.deliver()
    await _untouched(play, order_id, bill)
    await play.later(seconds=15)
    await play.deliver()
    told = await play.notification(order_id)
    assert [attempt["status"] for attempt in told["attempts"]] == [500, 204]
    await _settled_once(play, order_id, bill)


@pytest.mark.parametrize("point", AFTER_COMMIT)
async def test_f04_what_fails_after_the_commit_is_repeated_and_acknowledged_as_known(
    play: Stage, sandbox_client: Client, point: str
) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    failpoints.arm(point, "raise", times=1)
    await play.user_pays(order_id)
    await play.deliver()
    assert await play.state(order_id) == "PAID"
    await play.later(seconds=15)
    await play.deliver()
    told = await play.notification(order_id)
    assert [attempt["status"] for attempt in told["attempts"]] == [500, 204]
    await _settled_once(play, order_id, bill)


class Api:
    """The API as a process of its own, on the port at which the channel calls."""

    def __init__(self, res: Resources, sandbox: Sandbox) -> None:
        settings = res.settings
        (settings.data_dir / OFFSET_FILE).write_text((sandbox.data_dir / OFFSET_FILE).read_text())
        self.port = urlsplit(settings.public_url).port
        self._log = settings.data_dir / "api.log"
        self._env = {
            **os.environ,
            "LINLI_DATA_DIR": str(settings.data_dir),
            "LINLI_DATABASE_URL": str(settings.database_url),
            "LINLI_REDIS_URL": str(settings.redis_url),
            "LINLI_PUBLIC_URL": settings.public_url,
            "LINLI_HTTP_PORT": str(self.port),
            "LINLI_WECHAT_API_URL": settings.wechat_api_url,
            "LINLI_WECHAT_PAY_URL": settings.wechat_pay_url,
            "LINLI_ALIPAY_URL": settings.alipay_url,
            "LINLI_LOG_LEVEL": "error",
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, failpoint: str = "") -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend.main"], cwd=ROOT, stdout=log, stderr=log,
                env={**self._env, "LINLI_FAILPOINTS": failpoint},
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            except OSError:
                assert time.monotonic() < deadline and self._process.poll() is None, self._log.read_text()
                await asyncio.sleep(0.05)

    async def died(self) -> int:
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, 20)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)


KILL_AT = [
    "settle.after_inbox",
    "settle.before_commit",
    "settle.before_write",
    "callback.before_answer",
    *(
        pytest.param(point, marks=pytest.mark.long)
        for point in ("settle.after_lock", "settle.before_flush", "tx.before_commit", "tx.after_commit")
    ),
]


@pytest.mark.parametrize("point", KILL_AT)
async def test_f03_f04_a_killed_api_process_settles_once_after_its_restart(
    play: Stage, sandbox: Sandbox, point: str
) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    api = Api(play.res, sandbox)
    try:
        way = [f"{THE_LONG_WAY[0]}={THE_LONG_WAY[1]}"] if point in BEFORE_COMMIT else []
        await api.start(",".join([*way, f"{point}=exit137"]))
        await play.user_pays(order_id)
        await play.deliver()
        assert await api.died() == 137
        await api.start()
        told = await play.notification(order_id)
        assert (await play.repeat(told["id"]))["status"] == 204
    finally:
        api.stop()
    await _settled_once(play, order_id, bill)


WRONG = {
    "wrong_amount": "amount",
    "wrong_mchid": "merchant",
    "wrong_appid": "app",
    "wrong_currency": "currency",
    "unknown_order": "unknown_order",
}


@pytest.mark.parametrize("kind", WRONG)
async def test_f10_verified_but_wrong_is_a_difference_in_suspense_and_acknowledged(
    play: Stage, sandbox_client: Client, kind: str
) -> None:
    bill = await play.bill(26_805)
    order_id = await play.ready(bill)
    forged = await play.forge(kind, order_id)
    amount_fen = forged["plaintext"]["amount"]["total"]
    assert forged["status"] == 204
    assert await play.differences() == [(WRONG[kind], "OPEN", amount_fen)]
    assert await play.count("posting WHERE kind = 'payment.suspense' AND amount_fen = $1", amount_fen) == 1
    assert await play.count("inbox WHERE outcome = 'difference' AND reason = $1", WRONG[kind]) == 1
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAYING", "ISSUED")
    await play.user_pays(order_id)
    await play.deliver()
    assert (await play.state(order_id), await play.bill_state(bill)) == ("PAID", "PAID")
    await play.balanced(forged_fen=amount_fen)


@pytest.mark.parametrize("kind", ["bad_signature", "old_timestamp", "signtest", "unknown_serial"])
async def test_what_is_not_proven_is_refused_and_leaves_no_trace(
    play: Stage, sandbox_client: Client, kind: str
) -> None:
    bill = await play.bill()
    order_id = await play.ready(bill)
    forged = await play.forge(kind, order_id)
    assert forged["status"] == 401
    assert forged["body"] == '{"code":"FAIL","message":"失败"}'
    await _untouched(play, order_id, bill)
    assert await play.differences() == []
    await play.balanced()


async def test_a_lie_about_a_real_payment_is_taken_back_when_the_truth_settles(
    play: Stage, sandbox_client: Client
) -> None:
    """The channel's transaction stands in the books once, whatever was said about it first."""
    bill = await play.bill(26_805)
    order_id = await play.ready(bill)
    await play.hostile(lose_callbacks=1)
    await play.user_pays(order_id)
    await play.deliver()
    await play.forge("wrong_amount", order_id, amount_fen=1)
    assert await play.differences() == [("amount", "OPEN", 1)]
    await play.later(minutes=1)
    await play.janitor()
    assert await play.state(order_id) == "PAID"
    assert await play.differences() == [("amount", "AUTO_RESOLVED", 0)]
    await play.forge("wrong_amount", order_id, amount_fen=5)
    await play.forge("wrong_currency", order_id)
    assert await play.differences() == [("amount", "AUTO_RESOLVED", 0), ("currency", "OPEN", 0)]
    await play.balanced()
