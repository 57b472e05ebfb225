"""Models do not read their own source when they are loaded."""

from tortoise import fields

from backend.kernel.orm import Model


class Noted(Model):
    """A model with a comment of the form that Tortoise looks for."""

    #: Says nothing to us.
    name = fields.TextField()


def test_the_source_of_a_model_is_not_read() -> None:
    assert Noted._meta.fields_map["name"].docstring is None
