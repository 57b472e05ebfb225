"""House rules as checks of the syntax tree (design section 7).

A line that must break a rule says so itself: `# house: <reason>`; the reason is the escape.
"""

import ast
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("backend", "payments", "miniprogram_api", "workers")
APP = (*PRODUCT, "sandbox", "demo", "bench")
NETWORK = {"aiohttp", "requests", "httpx", "urllib3", "http.client", "urllib.request"}
PERSONAL = {"phone", "openid", "id_number", "plate", "password", "token", "secret", "session_key"}
Rule = Callable[[Path, ast.Module, list[str]], Iterator[tuple[int, str]]]


def sources(*packages: str) -> list[Path]:
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *(f"{name}/" for name in packages)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    if not found:
        found = [str(path.relative_to(ROOT)) for name in packages for path in (ROOT / name).rglob("*.py")]
    return [ROOT / name for name in sorted(found) if name.endswith(".py") and (ROOT / name).exists()]


@cache
def parsed(path: Path) -> tuple[ast.Module, list[str]]:
    """A file's tree and lines, read once for all rules."""
    text = path.read_text()
    return ast.parse(text), text.splitlines()


def offences(rule: Rule, *packages: str) -> list[str]:
    found = []
    for path in sources(*packages):
        tree, lines = parsed(path)
        for line, message in rule(path, tree, lines):
            if "# house:" not in lines[line - 1]:
                found.append(f"{path.relative_to(ROOT)}:{line} {message}")
    return found


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def size(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    if len(lines) > 400:
        yield 1, f"{len(lines)} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > 60:
                yield node.lineno, f"{node.name} has {length} lines"


def empty_init(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    if path.name == "__init__.py" and tree.body:
        yield 1, "__init__.py is not empty"


def opens_with_docstring(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    if path.name != "__init__.py" and not ast.get_docstring(tree):
        yield 1, "no module docstring"


def imports_on_top(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    yield inner.lineno, "import inside a function"


def one_clock(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    if path.name == "clock.py":
        return
    wrong = {"datetime.now", "datetime.utcnow", "date.today", "datetime.today", "time.time", "datetime.datetime.now",
             "time.time_ns", "datetime.date.today"}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func) in wrong:
            yield node.lineno, f"{dotted(node.func)}()"


def no_sql_clock(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.lower()
            if any(word in text for word in ("now()", "current_date", "current_timestamp", "localtimestamp")) and (
                "select" in text or "insert" in text or "update" in text or "where" in text
            ):
                yield node.lineno, "SQL reads the time"
            if "clock_timestamp()" in text and path.name not in ("leases.py", "outbox.py"):
                yield node.lineno, "clock_timestamp() outside the leases"


def no_float_in_money(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"float {node.value}"
        if isinstance(node, ast.Call) and dotted(node.func) == "float":
            yield node.lineno, "float()"


def no_network(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    if path.name == "egress.py":
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name in NETWORK or name.split(".")[0] in NETWORK:
                yield node.lineno, f"imports {name}"


def save_names_its_fields(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "save":
            named = {keyword.arg for keyword in node.keywords}
            if "using_db" in named and "update_fields" not in named:
                yield node.lineno, "save() without update_fields"


def no_insert_through_execute_query(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "execute_query":
            yield node.lineno, "execute_query drops RETURNING"


def no_task_in_a_transaction(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not any(argument.arg == "tx" for argument in node.args.args):
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and dotted(inner.func).split(".")[-1] in (
                "create_task",
                "ensure_future",
                "gather",
            ):
                yield inner.lineno, "a task inside a transaction"


def no_broad_except(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            names = [dotted(node.type)] if node.type else ["(bare)"]
            reraises = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
            if names[0] in ("Exception", "BaseException", "(bare)") and not reraises:
                yield node.lineno, "broad except: only at the HTTP edge, the job edge and the relay loop"


def no_personal_data_in_logs(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    levels = ("info", "warning", "error", "debug", "exception")
    for node in ast.walk(tree):
        call = node.func if isinstance(node, ast.Call) else None
        if isinstance(call, ast.Attribute) and call.attr in levels and "log" in dotted(call.value):
            yield from ((node.lineno, f"logs {word.arg}") for word in node.keywords if word.arg in PERSONAL)


def only_queue_imports_arq(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    if path.name == "queue.py":
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.split(".")[0] == "arq" for name in names):
            yield node.lineno, "imports arq"


def unfinished(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str]]:
    marks = ("TODO", "FIXME", "XXX", "HACK", "NotImplementedError", "for now", "placeholder")
    for number, line in enumerate(lines, 1):
        if any(mark in line for mark in marks):
            yield number, line.strip()[:60]


RULES: list[tuple[Rule, tuple[str, ...]]] = [
    (size, APP),
    (empty_init, (*APP, "migrations")),
    (opens_with_docstring, (*APP, "migrations", "tests")),
    (imports_on_top, APP),
    (one_clock, PRODUCT),
    (no_sql_clock, PRODUCT),
    (no_float_in_money, ("payments", "backend/fees", "backend/ledger")),
    (no_network, PRODUCT),
    (save_names_its_fields, PRODUCT),
    (no_insert_through_execute_query, PRODUCT),
    (no_task_in_a_transaction, PRODUCT),
    (no_broad_except, PRODUCT),
    (no_personal_data_in_logs, PRODUCT),
    (only_queue_imports_arq, PRODUCT),
    (unfinished, APP),
]


@pytest.mark.parametrize(("rule", "packages"), RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_house_rule(rule: Rule, packages: tuple[str, ...]) -> None:
    assert offences(rule, *packages) == []


def test_no_column_defaults_to_the_time() -> None:
    for path in (ROOT / "migrations" / "sql").glob("*.sql"):
        text = path.read_text().lower()
        assert "now()" not in text and "current_" not in text, path.name


def test_nothing_names_a_host_of_a_registry_or_a_path_of_a_machine() -> None:
    words = ("/wo" + "rk/", "/tmp/ba" + "sh_jobs", "pyp" + "i.org", "python" + "hosted", "registry.n" + "pmjs")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    for name in listed:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".lock", ".sql", ".txt", "") and path.is_file():
            text = path.read_text("utf-8", errors="replace")
            assert not any(word in text for word in words), name


def test_each_rule_sees_an_offence() -> None:
    """A rule that cannot fail is no rule."""
    samples: dict[Rule, str] = {
        one_clock: "datetime.now(UTC)",
        no_sql_clock: "x = 'SELECT now()'",
        no_float_in_money: "x = 0.5",
        no_network: "import aiohttp",
        imports_on_top: "def f():\n    import os",
        save_names_its_fields: "m.save(using_db=tx)",
        no_insert_through_execute_query: "c.execute_query('INSERT')",
        no_task_in_a_transaction: "async def f(tx):\n    asyncio.create_task(g())",
        no_broad_except: "try:\n    f()\nexcept Exception:\n    pass",
        no_personal_data_in_logs: "logger.info('x', phone=p)",
        only_queue_imports_arq: "from arq import Worker",
        unfinished: "# TO" + "DO later",
        opens_with_docstring: "x = 1",
        size: "x = 1\n" * 401,
    }
    for rule, text in samples.items():
        assert list(rule(Path("sample.py"), ast.parse(text), text.splitlines())), rule.__name__
