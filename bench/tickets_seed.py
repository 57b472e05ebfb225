"""What Y-17 starts from: a community's tickets of years, of which each of its engineers has some in hand.

Rows are seeded set-based, with the event and the audit that every ticket has; each open one has three promises.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

from backend.identity import sessions
from backend.kernel.config import Settings
from bench.rig import Rig

ENGINEERS = 200
IN_HAND = 20

GIVEN = """
    CREATE TEMP TABLE g AS
    SELECT $1::integer AS tickets, $2::uuid AS one, $3::uuid AS place, $4::timestamptz AS at, $5::text AS salt,
           $6::interval AS lifetime
"""

STAFF = "('b0000004-0000-7000-8000-' || lpad(to_hex({n}), 12, '0'))::uuid"
TICKET = "('b0000005-0000-7000-8000-' || lpad(to_hex({n}), 12, '0'))::uuid"
OPEN = ENGINEERS * IN_HAND

ROWS = f"""
    INSERT INTO company (id, name, created_at) SELECT one, '物业', at FROM g;
    INSERT INTO community (id, company_id, code, name, created_at) SELECT place, one, 'B', '小区', at FROM g;
    INSERT INTO staff (id, company_id, login, name, password_hash, state, created_at)
    SELECT {STAFF.format(n="n")}, one, 'engineer' || n, '工程师' || n, 'x', 'ACTIVE', at
      FROM g, generate_series(0, {ENGINEERS - 1}) AS n;
    INSERT INTO staff_role (staff_id, role, community_id, granted_at)
    SELECT {STAFF.format(n="n")}, 'engineer', place, at FROM g, generate_series(0, {ENGINEERS - 1}) AS n;
    INSERT INTO session (token_hash, kind, staff_id, created_at, expires_at)
    SELECT sha256(convert_to('s_' || salt || n, 'UTF8')), 'staff', {STAFF.format(n="n")}, at, at + lifetime
      FROM g, generate_series(0, {ENGINEERS - 1}) AS n;
    INSERT INTO ticket_category (id, company_id, name, kind, dispatch, measure, follow_up, paid, needs_approval,
                                 warranty_days, auto_sign_off_days, reopen_days, created_at)
    SELECT one, one, '公共维修', 'repair_public', 'assign', 'minutes', 'none', false, false, 0, 7, 7, at FROM g;
    INSERT INTO ticket (id, community_id, category_id, kind, state, channel, place, description, urgent, submitted_at,
                        moved_at, done_at, closed_at)
    SELECT {TICKET.format(n="n")}, place, one, 'repair_public', CASE WHEN n < {OPEN} THEN 'ASSIGNED' ELSE 'CLOSED' END,
           'miniprogram', n || '号门', '门禁不能开', false, at - n * interval '1 minute', at,
           CASE WHEN n >= {OPEN} THEN at END, CASE WHEN n >= {OPEN} THEN at END
      FROM g, generate_series(0, g.tickets - 1) AS n;
    INSERT INTO ticket_event (community_id, ticket_id, move, to_state, at, actor_kind, details)
    SELECT g.place, t.id, 'submit', t.state, g.at, 'system', '{{}}' FROM g, ticket t;
    INSERT INTO audit_entry (at, actor_kind, action, target, community_id)
    SELECT g.at, 'system', 'ticket.moved', 'ticket:' || t.id, g.place FROM g, ticket t;
    INSERT INTO ticket_assignment (community_id, ticket_id, staff_id, assigned_at, ended_at, ended_as)
    SELECT place, {TICKET.format(n="n")}, {STAFF.format(n=f"n % {ENGINEERS}")}, at - n * interval '1 minute',
           CASE WHEN n >= {OPEN} THEN at END, CASE WHEN n >= {OPEN} THEN 'done' END
      FROM g, generate_series(0, g.tickets - 1) AS n;
    INSERT INTO ticket_clock (community_id, ticket_id, round, kind, measure, within, started_at, due_at)
    SELECT place, {TICKET.format(n="n")}, 1, kind, 'minutes', 9999, at - n * interval '1 minute',
           at + (n * 7919 % {OPEN}) * interval '1 second' + within * interval '1 day'
      FROM g, generate_series(0, {OPEN - 1}) AS n,
           (VALUES ('respond', 1), ('arrive', 2), ('finish', 3)) AS each (kind, within)
"""  # noqa: S608 - constants only

EXPECTED = """
    SELECT a.staff_id, t.no
      FROM ticket_assignment a JOIN ticket t ON t.id = a.ticket_id
      JOIN ticket_clock c ON c.ticket_id = t.id AND c.kind = 'respond'
     WHERE a.ended_at IS NULL
     ORDER BY a.staff_id, c.due_at
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A seeded database that nobody is connected to; engineer n's tickets, what falls due first coming first."""

    settings: Settings
    tickets: int
    salt: str
    lists: dict[int, tuple[int, ...]]

    def token(self, number: int) -> str:
        """The session token of engineer `number`."""
        return f"s_{self.salt}{number}"


async def seed(rig: Rig, tickets: int) -> Desk:
    """A fresh database with so many tickets."""
    settings = await rig.fresh()
    salt = sha256(uuid4().bytes).hexdigest()
    async with rig.owner(settings) as owner:
        lifetime = sessions.LIFETIME["staff"]
        await owner.execute(GIVEN, tickets, uuid4(), uuid4(), datetime.now(UTC), salt, lifetime)
        for statement in ROWS.split(";\n"):
            await owner.execute(statement)
        await owner.execute("VACUUM ANALYZE")
        lists: dict[int, list[int]] = {}
        for row in await owner.fetch(EXPECTED):
            lists.setdefault(int(str(row["staff_id"])[-12:], 16), []).append(row["no"])
    return Desk(settings, tickets, salt, {number: tuple(nos) for number, nos in lists.items()})
