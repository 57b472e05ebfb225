"""The requests of uploads: each asker's file is its own."""

from tests import factories_media
from tests.security.prepared import Prepared, request
from tests.security.world import Who, World


def upload(world: World, who: Who, path: str) -> Prepared:
    body, headers = factories_media.form(factories_media.picture(32 + world.next() % 64, 32))
    return Prepared(path, raw=body, headers=headers, shows=("picture",), touches=(who.id, world.a.id))


@request("POST /api/v1/houses/{house_id}/media")
async def from_a_house(world: World, who: Who) -> Prepared:
    return upload(world, who, f"/api/v1/houses/{world.ids['house']}/media")


@request("POST /admin/v1/communities/{community_id}/media")
async def by_staff(world: World, who: Who) -> Prepared:
    return upload(world, who, f"/admin/v1/communities/{world.a.id}/media")
