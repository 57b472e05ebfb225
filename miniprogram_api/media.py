"""The resident route by which a picture or short video is uploaded, before it is named in a request (R6, R7)."""

from backend.kernel.auth import RESIDENT
from backend.kernel.errors import NotFound
from backend.kernel.http import Call, Route
from backend.kernel.media.formats import Kind
from backend.media import uploads
from backend.media.schemas import MediaView

ACCEPTED = frozenset({Kind.PICTURE, Kind.VIDEO})


async def upload(call: Call[None, None]) -> MediaView:
    """POST /api/v1/houses/{house_id}/media: as `wx.uploadFile` sends it."""
    tie = call.principal.tie(call.ids["house_id"])
    return await uploads.receive(call, community_id=tie.community_id, accepted=ACCEPTED)


ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/api/v1/houses/{house_id}/media", upload, RESIDENT, "上传照片或短视频，一次一个",
        answer=MediaView, status=201, creates=True, upload_bytes=uploads.LARGEST_BYTES, form=True, rate=uploads.RATE,
        errors=(NotFound, *uploads.ERRORS),
    ),
)  # fmt: skip
