"""What gates need by the clock: the next key in time, spent private parts destroyed, old changes forgotten."""

from functools import partial

from backend.kernel.periodic import Minutes, Periodic
from backend.kernel.resources import Resources
from backend.visitors import bundles, signing_keys


async def tend(res: Resources, _period: str) -> None:
    """One community's next key at a time, each in a transaction of its own."""
    for community_id in await signing_keys.running_out(res.db, at=res.clock.now()):
        await res.db.transact(partial(signing_keys.prolong, community_id=community_id, keyring=res.keyring))
    await res.db.transact(signing_keys.destroy_spent)
    await res.db.transact(bundles.forget)


PERIODIC = (Periodic("visitors.gates", Minutes(60), tend),)
