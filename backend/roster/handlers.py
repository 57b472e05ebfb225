"""Jobs of the roster: event → function, and what runs by the clock."""

from collections.abc import Mapping
from datetime import time

from backend.kernel.outbox import Handler
from backend.kernel.periodic import Daily, Periodic
from backend.roster import exports, imports

HANDLERS: Mapping[str, Handler] = {
    imports.UPLOADED: imports.check,
    imports.CONFIRMED: imports.carry_out,
    exports.APPROVED: exports.write,
}

PERIODIC: tuple[Periodic, ...] = (
    Periodic("roster.expire_exports", Daily(time(3, 20), catch_up=False), exports.expire),
    Periodic("roster.forget_files", Daily(time(3, 25), catch_up=False), imports.forget_files),
)
