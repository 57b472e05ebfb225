"""Where everything comes together: the tables of all nouns, collected once for the API, the workers and the checks."""

from collections.abc import Mapping
from typing import Any

from sanic import Sanic

from backend import system_routes
from backend.identity.principals import authenticate
from backend.kernel import edge
from backend.kernel.approvals import ApprovalKind
from backend.kernel.checks import Check
from backend.kernel.http import Route
from backend.kernel.resources import Resources

MODELS = (
    "backend.kernel.models",
    "backend.ledger.models",
    "backend.identity.models",
    "backend.property.models",
    "backend.wechat.models",
    "backend.fees.models",
    "backend.messaging.models",
    "payments.models",
)

ROUTES: tuple[Route, ...] = (*system_routes.routes(lambda: ROUTES),)

APPROVALS: Mapping[str, ApprovalKind] = {}

CHECKS: tuple[Check, ...] = ()


def build_app(res: Resources, *, name: str = "linli") -> Sanic[Any, Any]:
    """The Sanic application over open resources, ready to serve."""
    app: Sanic[Any, Any] = Sanic(name, configure_logging=False)
    edge.attach(app, ROUTES, res, authenticate)
    return app
