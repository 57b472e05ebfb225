"""The tables that nouns export fit together: events and handlers, approvals, permissions, periodic jobs."""

import ast
import importlib
import pkgutil
from pathlib import Path

import backend
import miniprogram_api
import payments
import workers
from backend.composition import APPROVALS, CHECKS, HANDLERS, PERIODIC, ROUTES
from backend.identity.roles import PERMISSIONS
from backend.kernel.auth import DEVICE, PUBLIC, RESIDENT

ROOTS = (backend, miniprogram_api, payments, workers)
SCHEDULED = "periodic.due"


def modules() -> list[str]:
    found = []
    for package in ROOTS:
        found += [info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return found


def texts(call: str, argument: int, keyword: str) -> set[str]:
    """The values of one argument over all calls `….<call>(…)`, constants of modules resolved."""
    found = set()
    for name in modules():
        module = importlib.import_module(name)
        path = module.__file__ or ""
        tree = ast.parse(Path(path).read_text())
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == call):
                continue
            given = next((word.value for word in node.keywords if word.arg == keyword), None)
            if given is None and len(node.args) > argument:
                given = node.args[argument]
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                found.add(given.value)
            elif isinstance(given, ast.Name) and isinstance(getattr(module, given.id, None), str):
                found.add(getattr(module, given.id))
    return found


def test_every_emitted_event_has_a_handler() -> None:
    emitted = texts("emit", 1, "event")
    assert len(emitted) >= 6
    assert emitted - {SCHEDULED} <= set(HANDLERS)


def test_every_proposed_kind_has_an_apply() -> None:
    proposed = texts("propose", 99, "kind")
    assert len(proposed) >= 3
    assert proposed <= set(APPROVALS)


def test_every_permission_is_known_to_some_role() -> None:
    known = set(PERMISSIONS) | {PUBLIC, RESIDENT, DEVICE}
    assert {route.permission for route in ROUTES} <= known
    assert {kind.permission for kind in APPROVALS.values()} <= known


def test_no_route_event_check_or_period_is_declared_twice() -> None:
    for names in (
        [(route.method, route.path) for route in ROUTES],
        [job.name for job in PERIODIC],
        [(check.code, check.title) for check in CHECKS],
    ):
        assert len(names) == len(set(names))


def test_routes_that_create_say_so_and_every_route_is_described() -> None:
    places = ("/api/v1/", "/admin/v1/", "/device/v1/", "/pay/notify/", "/p/", "/wechat/")
    for route in ROUTES:
        assert route.summary, route.path
        assert not (route.creates and route.method != "POST"), route.path
        assert route.path.startswith(places) or route.method == "GET"
