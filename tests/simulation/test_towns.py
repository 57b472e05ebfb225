"""Five small towns, and every seed that ever failed: three months, thirty houses, hostile channels, crashes."""

import pytest

from backend.kernel.config import Settings
from tests.conftest import Run, Sandbox
from tests.simulation import year
from tests.simulation.host import Host

pytestmark = pytest.mark.apart

# A seed of `make simulate` that failed is added here, with what it found.
KEPT: tuple[int, ...] = ()
SMALL = (1, 2, 3, 4, 9)


@pytest.mark.parametrize("seed", [*SMALL, *KEPT])
def test_the_books_of_a_small_town_equal_the_channels(
    settings: Settings, sandbox: Sandbox, run: Run, seed: int
) -> None:
    urls = dict.fromkeys(("wechat_api_url", "wechat_pay_url", "alipay_url"), sandbox.url)
    linked = settings.model_copy(update={**urls, "data_dir": sandbox.data_dir})
    run(_play(Host(linked, sandbox.clock, **year.settings_for(seed)), sandbox, seed))


async def _play(host: Host, sandbox: Sandbox, seed: int) -> None:
    await host.start()
    await host.res.redis.flushdb()
    try:
        await year.live(host, sandbox, sandbox.clock, seed=seed, houses=30, months=3)
    finally:
        await host.stop()
