"""What a noun does with pictures, videos and documents: `bind` them, read those `of` its rows, give `links` to them.

A client uploads each file first (uploads.py) and names the ids in its request. The noun's command binds them in its own
transaction. Promises: only who uploaded a file binds it, once, in the community for which it was uploaded; whatever is
wrong with an id, the answer is the same. The noun decides who may see its row, and calls `links` for those alone.

    await attachments.bind(tx, actor, ids=body.media_ids, community_id=…, owner=Owner("ticket_move", str(move_id)))
    found = await attachments.of(db, "ticket_move", [str(move_id), …])       # one query for a whole page
    shown = attachments.links(res, found[str(move_id)])                      # list[MediaView], for the answer
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Invalid
from backend.kernel.media.formats import ENDING, Kind
from backend.kernel.resources import Resources
from backend.media.schemas import MediaView

LINK_S = 600
SHOWN = frozenset({Kind.PICTURE, Kind.VIDEO})

# Locked in the order of ids; one that another transaction has bound meanwhile is not among them.
BIND = """
    WITH wanted AS (
        SELECT m.id, w.position
          FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, position) JOIN media m ON m.id = w.id
         WHERE m.state = 'UPLOADED' AND m.uploader_kind = $2 AND m.uploader_id = $3 AND m.community_id = $4
           AND m.kind = ANY ($5::text[])
         ORDER BY m.id
           FOR UPDATE OF m)
    UPDATE media m
       SET state = 'BOUND', owner_noun = $6, owner_key = $7, position = wanted.position, bound_at = $8
      FROM wanted
     WHERE m.id = wanted.id
 RETURNING m.id
"""

# Index media_owner.
OF = """
    SELECT id, kind, created_at, size_bytes, width, height, length_ms, owner_key
      FROM media
     WHERE state = 'BOUND' AND owner_noun = $1 AND owner_key = ANY ($2::text[])
     ORDER BY bound_at, position
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """The row to which files belong: a noun's table and the row's key."""

    noun: str
    key: str


@dataclass(frozen=True, slots=True)
class Media:
    """A file that is stored."""

    id: UUID
    kind: Kind
    created_at: datetime
    size_bytes: int
    width: int
    height: int
    length_ms: int


async def bind(
    tx: Tx, actor: Actor, *, ids: Sequence[UUID], community_id: UUID, owner: Owner, kinds: frozenset[Kind] = SHOWN
) -> None:
    """Give files to their owner in this order; Invalid `media_unusable`, and nothing bound, where one cannot be."""
    if not ids:
        return
    bound = await tx.fetch(
        BIND, list(ids), actor.kind, actor.id, community_id, sorted(kinds), owner.noun, owner.key, tx.now
    )
    if len(bound) != len(ids):
        raise Invalid("有照片或附件已失效或已经用过，请删除后重新上传。", code="media_unusable")


async def of(db: Reader, noun: str, keys: Sequence[str]) -> Mapping[str, tuple[Media, ...]]:
    """The files of each of these rows, in the order in which they were bound; empty where a row has none."""
    found: dict[str, tuple[Media, ...]] = dict.fromkeys(keys, ())
    for row in await db.fetch(OF, noun, list(keys)):
        values = dict(row.items())
        found[values.pop("owner_key")] += (Media(**values | {"kind": Kind(row["kind"])}),)
    return found


def links(res: Resources, files: Iterable[Media]) -> list[MediaView]:
    """Files with addresses that whoever has them can read for LINK_S seconds; for those who may see the owner."""
    return [view(res, file) for file in files]


def view(res: Resources, file: Media) -> MediaView:
    """One file with its addresses."""
    key, small_key = file_keys(file.id, file.kind, file.created_at)
    return MediaView(
        id=file.id,
        kind=file.kind,
        size_bytes=file.size_bytes,
        width=file.width,
        height=file.height,
        length_ms=file.length_ms,
        url=res.storage.url(key, LINK_S),
        small_url=None if small_key is None else res.storage.url(small_key, LINK_S),
        ttl_s=LINK_S,
    )


def file_keys(media_id: UUID, kind: Kind, created_at: datetime) -> tuple[str, str | None]:
    """Where the store keeps the file, and the small picture of it where there is one."""
    name = f"media/{created_at:%Y-%m}/{media_id.hex}"
    return f"{name}{ENDING[kind]}", None if kind is Kind.DOCUMENT else f"{name}-small.jpg"
