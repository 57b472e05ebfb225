"""The staff route by which a picture, short video or document is uploaded (R6, R9)."""

from backend.kernel.errors import NotFound
from backend.kernel.http import Call, Route
from backend.kernel.media.formats import Kind
from backend.media import uploads
from backend.media.schemas import MediaView

UPLOAD = "media.upload"


async def upload(call: Call[None, None]) -> MediaView:
    """POST /admin/v1/communities/{community_id}/media."""
    community_id = call.ids["community_id"]
    call.principal.require_community(UPLOAD, community_id)
    return await uploads.receive(call, community_id=community_id, accepted=frozenset(Kind))


ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/admin/v1/communities/{community_id}/media", upload, UPLOAD, "上传照片、短视频或 PDF 附件，一次一个",
        answer=MediaView, status=201, creates=True, upload_bytes=uploads.LARGEST_BYTES, form=True, rate=uploads.RATE,
        errors=(NotFound, *uploads.ERRORS),
    ),
)  # fmt: skip
