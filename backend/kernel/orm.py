"""The base of the models.

Tortoise parses the source of each model for `#:` comments. Ours have none, and a process of ours would spend a seventh
of its start on it.
"""

import tortoise.models
from tortoise.models import Model


def _comments(cls: type[Model]) -> dict[str, str]:
    return {}


tortoise.models._get_comments = _comments

__all__ = ["Model"]
