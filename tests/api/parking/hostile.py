"""A day at a small lot under hostile cameras, played over the real routes, and what really happened beside it.

The truth is kept here by plain means: who came and went when, and what that costs. Nothing of the product's books is
read to play, except the stay that the guard sees waiting at the exit.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.db import Record, Tx
from payments import closing
from payments.channels.base import Method
from payments.counter import shifts, takings
from payments.counter.takings import Paper, Taken
from payments.payables import Kind, Wish
from sandbox.cameras import shots
from sandbox.cameras.camera import Camera, over_http
from sandbox.cameras.models import MODELS
from sandbox.cameras.shots import Identity, Obeyed, Shot
from tests import factories, factories_devices, factories_parking
from tests.api.parking.conftest import Site
from tests.factories_counter import voucher_no

CARS = 5
BURST = 3
HOUR_S = 3600
WRONG_CLOCKS = (timedelta(hours=1), timedelta(hours=-1), timedelta(days=-20_000), timedelta(days=3650))
WAITING = """
    SELECT s.id, s.state, s.entered_at, q.amount_fen,
           (SELECT e.detail -> 'candidates' FROM parking_event e
             WHERE e.session_id = s.id AND e.detail ? 'candidates' ORDER BY e.id DESC LIMIT 1) AS candidates
      FROM parking_session s LEFT JOIN parking_quote q ON q.id = s.quote_id
     WHERE s.waiting_lane_id = $1 AND s.waiting_since = $2
"""


class Fault(StrEnum):
    """What goes wrong with one passage of a visit; OFFLINE: the camera had no network when the car passed."""

    NONE = "none"
    LOST_ENTRY = "lost_entry"
    LOST_EXIT = "lost_exit"
    MISREAD_ENTRY = "misread_entry"
    MISREAD_EXIT = "misread_exit"
    CLOCK_ENTRY = "clock_entry"
    CLOCK_EXIT = "clock_exit"
    OFFLINE = "offline"


@dataclass
class Visit:
    """One true stay of a car. `read` are the texts by which the cameras told of it."""

    plate: str
    comes_at: datetime
    goes_at: datetime
    fault: Fault = Fault.NONE
    left_at: datetime | None = None
    paid_fen: int = 0
    read: set[str] = field(default_factory=set)

    def price_fen(self, at: datetime) -> int:
        """The made-up prices of factories_parking.PRICES, for less than a day."""
        stayed_s = int((at - self.comes_at).total_seconds())
        return 0 if stayed_s <= 30 * 60 else min(2_000, -(-stayed_s // HOUR_S) * 500)


def plates(chance: random.Random, number: int) -> list[str]:
    """Plates that differ in three places or more, so that no misread is the plate of another."""
    found: list[str] = []
    while len(found) < number:
        text = "粤B" + "".join(chance.choices("0123456789", k=5))
        if all(sum(a != b for a, b in zip(text, each, strict=True)) >= 3 for each in found):
            found.append(text)
    return found


class Day:
    """The visits of a day, and the cameras that tell of them. `faulty`: more than repeats and overtaking."""

    def __init__(self, site: Site, seed: int, *, faulty: bool) -> None:
        self.site = site
        self.chance = random.Random(seed)
        self.faulty = faulty
        self.income_fen = 0
        start = site.res.clock.now()
        texts = plates(self.chance, CARS + BURST)
        self.visits = [visit for text in texts[:CARS] for visit in self._visits(text, start)]
        at = start + timedelta(minutes=self.chance.randrange(60, 300))
        # These come within seconds and go within seconds, so that their pushes overtake each other.
        self.burst = [
            Visit(text, at + timedelta(seconds=3 * n), at + timedelta(minutes=25, seconds=3 * n))
            for n, text in enumerate(texts[CARS:])
        ]
        self.offline = {way: self._offline(start) if faulty else (start, start) for way in ("in", "out")}
        if faulty:
            self._break()

    def _visits(self, text: str, start: datetime) -> Iterator[Visit]:
        at = start + timedelta(minutes=self.chance.randrange(1, 120), seconds=self.chance.randrange(60))
        for _ in range(self.chance.randrange(1, 4)):
            goes_at = at + timedelta(seconds=self.chance.randrange(5 * 60, 6 * HOUR_S))
            yield Visit(text, at, goes_at)
            at = goes_at + timedelta(minutes=self.chance.randrange(40, 200))

    def _offline(self, start: datetime) -> tuple[datetime, datetime]:
        begins = start + timedelta(minutes=self.chance.randrange(60, 600))
        return begins, begins + timedelta(minutes=self.chance.randrange(60, 200))

    def _break(self) -> None:
        """One fault at most for a car; those that pass a camera without network have that."""
        for text in {visit.plate for visit in self.visits}:
            mine = [visit for visit in self.visits if visit.plate == text]
            late = [each for each in mine if self._dark("in", each.comes_at) or self._dark("out", each.goes_at)]
            for each in late:
                each.fault = Fault.OFFLINE
            if not late:
                broken = self.chance.choice(mine)
                faults = [each for each in Fault if each is not Fault.OFFLINE]
                if broken is mine[-1]:
                    # Nobody can know of a car that is never seen again that it has left.
                    faults.remove(Fault.LOST_EXIT)
                broken.fault = self.chance.choice(faults)

    def _dark(self, way: str, at: datetime) -> bool:
        begins, ends = self.offline[way]
        return begins <= at < ends

    async def play(self) -> None:
        """The day in order of time, then whatever is still in a camera's store."""
        self.cameras = {way: await self._camera(way) for way in ("in", "out")}
        await self._cashier()
        steps: list[tuple[datetime, Any]] = [(each.comes_at, (self.come, each)) for each in self.visits]
        steps += [(each.goes_at, (self.go, each)) for each in self.visits]
        steps += [
            (self.burst[-1].comes_at, (self.come_together, None)),
            (self.burst[-1].goes_at, (self.go_together, None)),
        ]
        for way, (_, ends) in self.offline.items():
            steps.append((ends, (self.back, way)))
        for at, (act, what) in sorted(steps, key=lambda step: step[0]):
            self._until(at)
            for way, camera in self.cameras.items():
                camera.connected = not self._dark(way, at)
            await act(what)
        self._until(self.site.res.clock.now() + timedelta(hours=1))
        for way in self.cameras:
            await self.back(way)

    def _until(self, at: datetime) -> None:
        clock = self.site.res.clock
        clock.advance(max(timedelta(), at - clock.now()))

    async def _camera(self, way: str) -> Camera:
        """A camera of a maker whose cameras obey their answers, in a lane of its own."""
        site, vendor = self.site, self.chance.choice(("zhenshi", "qy"))
        serial = f"{MODELS[vendor].serial[:-1]}{'a' if way == 'in' else 'b'}"
        made = await factories_devices.device(site.res, site.place, vendor=vendor, name=f"相机{way}", serial=serial)
        lane_id = await factories_parking.lane(site.lot, made, way=factories_parking.Way(way), name=f"南门{way}")
        if way == "out":
            self.exit_lane = lane_id
        url = f"{site.client.url}/device/v1/cameras/{vendor}/{made.id}/{made.secret}"
        identity = Identity(serial, way=shots.Way(way))
        send = over_http(site.client.session, url, within_s=30)
        return Camera(vendor, send, identity=identity, seed=self.chance.randrange(1 << 30))

    async def _cashier(self) -> None:
        site = self.site
        self.cashier = Actor("staff", (await factories.staff(site.res, site.place, "cashier")).id)
        await site.res.db.transact(
            lambda tx: shifts.open_shift(tx, self.cashier, community_id=site.place.id, float_fen=0)
        )

    async def see(
        self, way: str, visit: Visit, *, text: str | None = None, at: datetime | None = None
    ) -> Obeyed | None:
        """The car stands before a camera: seen once or by several pushes at once, answers get lost, old ones repeat."""
        camera, now = self.cameras[way], self.site.res.clock.now()
        text = text or visit.plate
        visit.read.add(text)
        camera.lose_answers = self.chance.choice((0, 0, 0, 1, 3, 1 + camera.model.repeats)) if camera.connected else 0
        answer = await camera.see(Shot(text, at or now), copies=self.chance.choice((1, 1, 1, 2, 4)))
        camera.lose_answers = 0
        if camera.connected and self.chance.random() < 0.3:
            camera.backlog.append(self.chance.choice(camera.sent))
            await camera.come_back()
        return answer

    async def come(self, visit: Visit) -> None:
        """In by the lane; where the barrier does not open, the guard lifts it without a word to us."""
        visit.comes_at = self.site.res.clock.now()
        if visit.fault is Fault.LOST_ENTRY:
            return
        await self.see("in", visit, **self._told(visit, Fault.MISREAD_ENTRY, Fault.CLOCK_ENTRY))

    async def go(self, visit: Visit) -> None:
        """Out by the lane: let out, paid for, or helped by the guard."""
        visit.goes_at = visit.left_at = self.site.res.clock.now()
        if visit.fault is Fault.LOST_EXIT:
            return
        told = self._told(visit, Fault.MISREAD_EXIT, Fault.CLOCK_EXIT)
        answer = await self.see("out", visit, **told)
        if answer is None and self.cameras["out"].connected:
            self._until(visit.left_at + timedelta(seconds=10))
            told |= {"at": told["at"] + timedelta(seconds=10)} if "at" in told else {}
            while answer is None:
                answer = await self.see("out", visit, **told)
        if answer is not None and not answer.opens:
            assert answer.lines, "the driver is told why"
            await self._at_the_barrier(visit)

    def _told(self, visit: Visit, misread: Fault, clock: Fault) -> dict[str, Any]:
        if visit.fault is misread:
            return {"text": shots.misread(visit.plate, self.chance)}
        if visit.fault is clock:
            return {"at": self.site.res.clock.now() + self.chance.choice(WRONG_CLOCKS)}
        return {}

    async def _at_the_barrier(self, visit: Visit) -> None:
        waiting = await self._waiting()
        if waiting["entered_at"] is None:
            right = await self._candidate(visit, waiting)
            if right is None:
                await self._by_hand(waiting["id"])
                return
            body = {"candidate_id": str(right), "reason": "识别错误"}
            path = f"/admin/v1/parking-stays/{waiting['id']}/match"
            assert (await (await self.site.staff("guard")).post(path, body)).status == 200
            found = [row for row in await self._all_waiting() if row["id"] == right]
            if not found:
                await self._opened()
                return
            await self._pay(visit, found[0], asked_at=self.site.res.clock.now())
            return
        # Asked again within ten minutes, the first quote stands.
        await self._pay(visit, waiting, asked_at=visit.goes_at)

    async def _waiting(self) -> Record:
        (row,) = await self._all_waiting()
        return row

    async def _all_waiting(self) -> list[Record]:
        return await self.site.res.db.fetch(WAITING, self.exit_lane, self.site.res.clock.now())

    async def _candidate(self, visit: Visit, waiting: Record) -> UUID | None:
        """The guard knows by the picture which of the candidates this car is."""
        ring, found = self.site.res.keyring, [UUID(each) for each in waiting["candidates"] or ()]
        blinds = [ring.blind(text, "plate") for text in visit.read | {visit.plate}]
        return await self.site.res.db.fetchval(
            "SELECT id FROM parking_session WHERE id = ANY ($1::uuid[]) AND plate_blind = ANY ($2::bytea[])",
            found, blinds,
        )  # fmt: skip

    async def _by_hand(self, session_id: UUID) -> None:
        path = f"/admin/v1/parking-lots/{self.site.lot.id}/lanes/{self.exit_lane}/open"
        body = {"reason": "没有入场记录，人工放行", "session_id": str(session_id), "plate": None}
        assert (await (await self.site.staff("guard")).post(path, body)).status == 200
        await self._opened()

    async def _pay(self, visit: Visit, waiting: Record, *, asked_at: datetime) -> None:
        """Whatever is asked for is exactly what the true stay costs; the barrier opens after it is paid."""
        res, amount_fen = self.site.res, waiting["amount_fen"]
        assert amount_fen == visit.price_fen(asked_at), f"{visit} is asked for {amount_fen} fen"
        self._until(res.clock.now() + timedelta(seconds=20))
        paper = Paper(voucher_no(), Method.CASH, amount_fen, amount_fen)

        async def work(tx: Tx) -> Taken:
            return await takings.take(
                tx, self.cashier, res=res, communities=(self.site.place.id,),
                wishes=[Wish(Kind.PARKING, waiting["id"])], paper=paper,
            )  # fmt: skip

        await closing.make_room(res, self.cashier, place=lambda: res.db.transact(work))
        visit.paid_fen, visit.left_at = visit.paid_fen + amount_fen, res.clock.now()
        self.income_fen += amount_fen
        await self._opened()

    async def _opened(self) -> None:
        assert (await self.cameras["out"].poll()).opens
        await factories_parking.work_all(self.site.res)

    async def come_together(self, _: None) -> None:
        """Several cars within seconds, told in any order."""
        await self._together("in", [(each, each.comes_at) for each in self.burst])

    async def go_together(self, _: None) -> None:
        """Out within seconds as well; one by one where the guard has to help, as their entries are not known yet."""
        if any(each.fault is Fault.OFFLINE for each in self.burst):
            for each in self.burst:
                await self.go(each)
            return
        for each in self.burst:
            each.left_at = each.goes_at
        await self._together("out", [(each, each.goes_at) for each in self.burst])

    async def _together(self, way: str, cars: list[tuple[Visit, datetime]]) -> None:
        camera = self.cameras[way]
        for visit, _ in cars:
            visit.read.add(visit.plate)
            visit.fault = visit.fault if camera.connected else Fault.OFFLINE
        told = [Shot(visit.plate, at) for visit, at in cars]
        if camera.connected:
            await camera.see_out_of_order(told)
        else:
            for shot in told:
                await camera.see(shot)

    async def back(self, way: str) -> None:
        """The network is there again; the store is told until it is empty."""
        while await self.cameras[way].come_back():
            continue
