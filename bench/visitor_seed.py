"""What Y-10 starts from: a community with gates, passes, and their tokens by the product's own key."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import orjson

from backend.devices import registry
from backend.devices.states import Kind
from backend.kernel.audit import SYSTEM
from backend.kernel.config import Settings
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.visitors import signing_keys, sites, tokens
from backend.visitors.tokens import Claims, Form
from bench.gate_seed import COMMUNITY, COMPANY, PERSON, Lane, signed
from bench.rig import Rig

GATES = 8
WINDOW = timedelta(days=1)

HOUSE = """
    WITH b AS (INSERT INTO building (id, community_id, code, name) VALUES (gen_random_uuid(), $1, '1', '1栋')
               RETURNING id),
    u AS (INSERT INTO unit (id, community_id, building_id, code) SELECT gen_random_uuid(), $1, id, '' FROM b
          RETURNING id, building_id)
    INSERT INTO house (id, community_id, building_id, unit_id, code, label, search_key, kind, pay_code, created_at)
    SELECT $2, $1, building_id, id, '101', '1栋101', '1栋101', 'residence', 'BENCH1', $3 FROM u
"""

# Numbered ids, so that pgbench can name one by a random number.
PASSES = """
    INSERT INTO visitor_pass (id, community_id, house_id, invited_by, kind, state, valid_from, valid_until,
                              entries_allowed, entries_used, token_nonce, created_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $1, $2, $2, 'guest', 'ACTIVE', $3, $4, $6, 0,
           '\\x0102030405060708', $3
      FROM generate_series(1, $5) AS n
"""


@dataclass(frozen=True, slots=True)
class Estate:
    """A seeded database that nobody is connected to, and the token of each of its passes."""

    settings: Settings
    community_id: UUID
    gates: tuple[Lane, ...]
    texts: tuple[str, ...]


async def seed(rig: Rig, passes: int, *, entries: int) -> Estate:
    """A fresh database with GATES gates and so many passes, each for so many entries."""
    settings = await rig.fresh()
    place, house, now = uuid4(), uuid4(), datetime.now(UTC)
    async with rig.owner(settings) as owner:
        await owner.execute(COMPANY, place, now)
        await owner.execute(PERSON, place, now)
        await owner.execute(COMMUNITY, place, place, now)
        await owner.execute(HOUSE, place, house, now)
        await owner.execute(PASSES, place, house, now - WINDOW, now + WINDOW, passes, entries)
    async with rig.resources(settings) as res:
        gates, texts = await res.db.transact(partial(_gates, res=res, place=place, passes=passes, entries=entries))
    async with rig.owner(settings) as owner:
        await owner.execute("VACUUM ANALYZE")
    return Estate(settings, place, gates, texts)


async def _gates(
    tx: Tx, *, res: Resources, place: UUID, passes: int, entries: int
) -> tuple[tuple[Lane, ...], tuple[str, ...]]:
    made = [
        await registry.register(
            tx, SYSTEM, keyring=res.keyring, community_id=place, kind=Kind.GATE, vendor="neutral", name=f"{n}号门"
        )
        for n in range(GATES)
    ]
    site = await sites.of_community(tx, place)
    signing = await signing_keys.current(tx, place, keyring=res.keyring)
    from_s, until_s = int((tx.now - WINDOW).timestamp()), int((tx.now + WINDOW).timestamp())
    texts = [
        tokens.sign(
            Claims(
                Form.PASS, signing.no, site["no"], UUID(f"00000000-0000-7000-8000-{n:012}"), from_s, until_s, entries,
                bytes(range(1, 9)),
            ),
            signing.private,
        )
        for n in range(1, passes + 1)
    ]  # fmt: skip
    return tuple(Lane(each.id, each.secret) for each in made), tuple(texts)


def scan(gate: Lane, *, key: str, text: str) -> bytes:
    """A signed scan, as a gate sends it."""
    return signed(gate, "POST", "/device/v1/visitor-scans", orjson.dumps({"key": key, "token": text}))
