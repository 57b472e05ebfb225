"""The sandbox's camera and the product's adapters: repeats, lost answers, outages, stages, wrong reads; no network."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from backend.parking import plates
from backend.parking.cameras import vendors
from backend.parking.cameras.base import STANDARD
from backend.parking.lanes.sighting import Decision, Sighting
from sandbox.cameras.camera import Camera, Unreachable
from sandbox.cameras.models import MODELS
from sandbox.cameras.shots import Post, Shot, misread
from tests.vectors_cameras import AT

VENDORS = sorted(MODELS)
OPENS_BY_ANSWER = [vendor for vendor in VENDORS if vendors.adapter(vendor).opens_by_answer]


class Site:
    """A server that opens for every live event it has not seen, and keeps each by its key."""

    def __init__(self, vendor: str) -> None:
        self.adapter = vendors.adapter(vendor)
        self.seen: dict[str, Sighting] = {}
        self.events: list[Sighting] = []
        self.down = False

    async def send(self, post: Post) -> tuple[int, bytes]:
        if self.down:
            raise Unreachable
        event = self.adapter.read(post.headers, post.body)
        decision = Decision(open=True, voice="欢迎光临")
        if isinstance(event, Sighting):
            self.events.append(event)
            decision = decision.quiet() if event.key in self.seen else decision
            self.seen.setdefault(event.key, event)
        return 200, self.adapter.answer(event, decision, STANDARD).body


def shot(place: int = 0, plate: str = "粤B12345") -> Shot:
    return Shot(plate, AT + timedelta(seconds=place))


def play(vendor: str, work: Callable[[Camera, Site], Awaitable[None]], **options: float) -> tuple[Camera, Site]:
    site = Site(vendor)
    camera = Camera(vendor, site.send, **options)  # type: ignore[arg-type]
    asyncio.run(work(camera, site))  # type: ignore[arg-type]
    return camera, site


@pytest.mark.parametrize("vendor", OPENS_BY_ANSWER)
def test_copies_and_lost_answers_are_one_event(vendor: str) -> None:
    async def work(camera: Camera, site: Site) -> None:
        answer = await camera.see(shot(), copies=3)
        assert answer is not None and answer.opens and answer.voice == "欢迎光临"
        camera.lose_answers = 2
        await camera.see(shot(60))

    camera, site = play(vendor, work)
    assert len(site.events) == 6 and len(site.seen) == 2
    assert len(camera.bar.openings) == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_outage_is_made_up_for_and_opens_nothing(vendor: str) -> None:
    async def work(camera: Camera, site: Site) -> None:
        site.down = True
        assert await camera.see(shot()) is None
        camera.connected = False
        for place in range(1, 20):
            await camera.see(shot(place))
        site.down = False
        assert await camera.come_back([shot(600, "粤B67890"), shot(601, "粤B67891")]) == 0

    camera, site = play(vendor, work)
    assert len(site.seen) == 22
    assert len(camera.bar.openings) == (2 if vendor in OPENS_BY_ANSWER else 0)
    if vendor != "dahua":
        assert sum(bool(event.replayed) for event in site.seen.values()) == 20


def test_without_leave_a_zhenshi_camera_keeps_its_store() -> None:
    async def silent(post: Post) -> tuple[int, bytes]:
        return 200, b"{}"

    camera = Camera("zhenshi", silent)
    camera.connected = False

    async def work() -> None:
        for place in range(3):
            await camera.see(shot(place))
        assert await camera.come_back() == 2

    asyncio.run(work())


def test_without_the_stop_word_a_qy_camera_repeats_and_then_stores() -> None:
    async def silent(post: Post) -> tuple[int, bytes]:
        return 200, b'{"Response_AlarmInfoPlate":{"info":"no"}}'

    camera = Camera("qy", silent)
    assert asyncio.run(camera.see(shot())) is None
    assert len(camera.sent) == 21 and len(camera.backlog) == 1


def test_pushes_that_overtake_each_other_keep_their_times() -> None:
    async def work(camera: Camera, site: Site) -> None:
        await camera.see_out_of_order([shot(place) for place in range(8)])

    _, site = play("zhenshi", work, seed=3)
    times = [event.at for event in site.events]
    assert times != sorted(times) and sorted(times) == [shot(place).at for place in range(8)]


def test_two_stages_of_hikvision_are_one_vehicle() -> None:
    async def work(camera: Camera, site: Site) -> None:
        await camera.see_plate_first(shot())
        await camera.see_plate_first(shot(60), pictures=False)

    _, site = play("hikvision", work)
    first, second, alone = site.events
    assert first.more_to_come and not first.pictures and len(second.pictures) == 2
    assert first.vehicle == second.vehicle != alone.vehicle and first.key == second.key


@pytest.mark.parametrize("vendor", [vendor for vendor in OPENS_BY_ANSWER if MODELS[vendor].poll])
def test_a_poll_fetches_a_command(vendor: str) -> None:
    adapter = vendors.adapter(vendor)

    async def opened(post: Post) -> tuple[int, bytes]:
        return 200, adapter.answer(adapter.read(post.headers, post.body), Decision(open=True), STANDARD).body

    camera = Camera(vendor, opened)
    assert asyncio.run(camera.poll()).opens and camera.bar.openings == [None]


@pytest.mark.parametrize("vendor", ["hikvision", "dahua"])
def test_orders_from_inside_the_site_open(vendor: str) -> None:
    camera = Camera(vendor, Site(vendor).send)
    for order in vendors.adapter(vendor).requests(Decision(open=True, plate="粤B12345"), STANDARD).requests:
        assert camera.request(order.method, order.path, order.body).taken
    assert camera.bar.openings == [None]


@pytest.mark.parametrize("seed", range(30))
def test_a_wrong_read_is_found_by_one_wildcard(seed: int) -> None:
    async def work(camera: Camera, site: Site) -> None:
        await camera.see(shot())

    _, site = play("zhenshi", work, seed=seed, misreads=1.0)
    (event,) = site.events
    assert event.plate is not None and event.plate != "粤B12345"
    assert len(set(plates.wildcards(event.plate)) & set(plates.wildcards("粤B12345"))) == 1
    assert misread("粤B12345", random.Random(seed)) == misread("粤B12345", random.Random(seed))
