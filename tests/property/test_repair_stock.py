"""Stock of parts against a dictionary: whatever comes and goes, counts agree and none is negative (D9)."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backend.kernel.errors import AppError
from backend.kernel.resources import Resources
from tests import factories_repairs, factories_tickets
from tests.conftest import Run
from tests.factories_repairs import Workshop

PLACES = ("store", "bag")
STEPS = st.tuples(st.sampled_from(("receive", "transfer", "count")), st.sampled_from(PLACES), st.integers(1, 9))


async def play(shop: Workshop, steps: list[tuple[str, str, int]]) -> None:
    places = {"store": shop.store, "bag": shop.bag}
    model = {name: await shop.lying(place_id) for name, place_id in places.items()}
    for step, name, number in steps:
        other = PLACES[1 - PLACES.index(name)]
        # An unchanged count is none; a place where no part has lain has nothing to count.
        fails = model[name] < number if step == "transfer" else step == "count" and model[name] in (0, number)
        try:
            if step == "receive":
                await shop.receive(number, places[name])
            elif step == "transfer":
                await shop.transfer(number, places[name], places[other])
            else:
                await factories_repairs.decide(shop.res, await shop.counted(number, places[name]))
        except AppError as error:
            assert fails, (step, name, number, model, error)
            continue
        assert not fails or (step, model[name]) == ("count", 0), (step, name, number, model)
        model = {
            "receive": {**model, name: model[name] + number},
            "transfer": {name: model[name] - number, other: model[other] + number},
            "count": {**model, name: number},
        }[step]
        assert {each: await shop.lying(place_id) for each, place_id in places.items()} == model


def tell(shop: Workshop, run: Run, examples: int) -> None:
    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink), derandomize=True,
    )  # fmt: skip
    @given(st.lists(STEPS, min_size=5, max_size=20))
    def stories(steps: list[tuple[str, str, int]]) -> None:
        run(play(shop, steps))

    stories()
    run(shop.desk.sound())


@pytest.fixture
def shop(res: Resources, run: Run) -> Workshop:
    async def make() -> Workshop:
        return await factories_repairs.workshop(await factories_tickets.desk(res))

    return run(make())


def test_d9_counts_follow_what_comes_and_goes(shop: Workshop, run: Run) -> None:
    tell(shop, run, 15)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_d9_counts_for_longer(shop: Workshop, run: Run) -> None:
    tell(shop, run, 500)
