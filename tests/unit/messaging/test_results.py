"""Pitfalls E8, E9: WeChat's words about a message, and its lists."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backend.messaging import push_lists
from backend.messaging.deliveries import Delivery, read_status
from backend.wechat.pushes import Push


@pytest.mark.parametrize(
    ("status", "delivery"),
    [
        ("success", Delivery.DELIVERED),
        ("failed:user block", Delivery.BLOCKED),
        ("failed: user block", Delivery.BLOCKED),
        ("failed:system failed", Delivery.FAILED),
        ("failed: system failed", Delivery.FAILED),
        ("Failed: System Failed", Delivery.FAILED),
        ("something new", Delivery.FAILED),
        ("", Delivery.FAILED),
    ],
)
def test_a_status_whatever_its_blanks(status: str, delivery: Delivery) -> None:
    assert read_status(status) is delivery


ONE, OTHER = {"TemplateId": "a"}, {"TemplateId": "b"}


@pytest.mark.parametrize(
    ("fields", "items"),
    [
        ({"Box": {"List": ONE}}, [ONE]),
        ({"Box": {"List": [ONE, OTHER]}}, [ONE, OTHER]),
        ({"List": [ONE]}, [ONE]),
        ({"List": ONE}, [ONE]),
        ({"Box": None, "List": ONE}, [ONE]),
        ({"Box": {}}, []),
        ({"List": "text"}, []),
        ({"List": ["text", ONE]}, [ONE]),
        ({}, []),
    ],
)
def test_a_list_is_an_object_for_one_and_an_array_for_several(fields: dict[str, Any], items: list[Any]) -> None:
    push = Push("wx", "o", "subscribe_msg_sent_event", datetime(2026, 9, 1, tzinfo=UTC), fields)
    assert push_lists.items(push, "Box") == items
