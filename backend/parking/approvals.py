"""What in parking takes two people: the prices of a lot and of its cards (S3), what residents apply for."""

from collections.abc import Mapping

from backend.kernel.approvals import ApprovalKind
from backend.parking.cards import applications, products
from backend.parking.prices import tariffs

APPROVALS: Mapping[str, ApprovalKind] = {
    tariffs.KIND: ApprovalKind("parking.tariff_approve", tariffs.apply),
    products.KIND: ApprovalKind("parking.tariff_approve", products.apply),
    **applications.APPROVALS,
}
