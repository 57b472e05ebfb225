"""By which way a message would reach many people, before it is sent: the choice of `choosing` as one read (D11).

A test holds the two against each other on random people. Consents may be used up and accounts unfollowed between the
count and the sending: the count is of the present.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.kernel.db import Reader
from backend.messaging import templates
from backend.messaging.meanings import Meaning
from backend.messaging.templates import Channel, Template

# The first way open, in the order of `choosing.choose`: templates of the official account, then subscriptions.
COUNT = """
    WITH offered AS (
        SELECT *
          FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[])
               WITH ORDINALITY AS o (channel, appid, template_id, fits, position)
    ), ways AS (
        SELECT p.person_id, o.channel, o.fits,
               row_number() OVER (PARTITION BY p.person_id ORDER BY o.position) AS choice
          FROM message_person p
          JOIN message_address a ON a.person_id = p.person_id
          JOIN offered o ON o.appid = a.appid
          LEFT JOIN message_consent c ON c.person_id = p.person_id AND c.template_id = o.template_id
         WHERE p.person_id = ANY ($1::uuid[])
           AND CASE o.channel WHEN 'template' THEN a.reachable ELSE coalesce(c.credits, 0) > 0 END
    )
    SELECT count(*) FILTER (WHERE fits AND channel = 'template') AS template,
           count(*) FILTER (WHERE fits AND channel = 'subscription') AS subscription,
           count(*) FILTER (WHERE NOT fits) AS unfit,
           (SELECT count(*) FROM message_person WHERE person_id = ANY ($1::uuid[])) AS people
      FROM ways
     WHERE choice = 1
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many people each way reaches. `unfit`: WeChat would refuse what their template shows."""

    template: int
    subscription: int
    inbox: int
    unfit: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What one template would show, key by key, made fit; `why` it would be refused, None when it is taken."""

    channel: Channel
    appid: str
    template_id: str
    data: Mapping[str, str]
    why: str | None


async def shown(db: Reader, meaning: Meaning, *, company_id: UUID, values: Mapping[str, str]) -> list[Shown]:
    """The message as each template of the company shows it, in the order in which they are tried."""
    return [_shown(one, values) for one in await _offered(db, meaning, company_id)]


async def count(
    db: Reader, meaning: Meaning, *, company_id: UUID, values: Mapping[str, str], person_ids: Sequence[UUID]
) -> Reach:
    """How many of the people each way reaches at present; who is no more is not counted."""
    offered = [_shown(one, values) for one in await _offered(db, meaning, company_id)]
    row = await db.fetchrow(
        COUNT, list(person_ids), [one.channel for one in offered], [one.appid for one in offered],
        [one.template_id for one in offered], [one.why is None for one in offered],
    )  # fmt: skip
    assert row is not None
    sent = row["template"] + row["subscription"] + row["unfit"]
    return Reach(row["template"], row["subscription"], row["people"] - sent, row["unfit"])


async def _offered(db: Reader, meaning: Meaning, company_id: UUID) -> list[Template]:
    found = [one for one in await templates.of_companies(db, [company_id]) if one.meaning == meaning.name]
    return sorted(found, key=lambda one: one.channel is not Channel.TEMPLATE)


def _shown(template: Template, values: Mapping[str, str]) -> Shown:
    data = template.data(values)
    return Shown(template.channel, template.appid, template.template_id, data, templates.unfit(data, template.allowed))
