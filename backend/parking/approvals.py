"""What in parking takes two people: the prices of a lot (S3)."""

from collections.abc import Mapping

from backend.kernel.approvals import ApprovalKind
from backend.parking import tariffs

APPROVALS: Mapping[str, ApprovalKind] = {tariffs.KIND: ApprovalKind("parking.tariff_approve", tariffs.apply)}
