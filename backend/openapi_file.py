"""`python -m backend.openapi_file`: the OpenAPI document as docs/openapi.json, so that a change of the API is seen.

With `--check` nothing is written, and a file that differs is an error (`make check`).
"""

import sys
from pathlib import Path

import orjson

from backend.composition import ROUTES
from backend.kernel import openapi
from backend.kernel.config import Settings
from backend.system_routes import VERSION

FILE = Path(__file__).parents[1] / "docs" / "openapi.json"


def document() -> bytes:
    """The document of all routes, in an order that does not depend on the process."""
    described = openapi.describe(ROUTES, version=VERSION, server=Settings.from_env({}).public_url)
    return orjson.dumps(described, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def main(arguments: list[str]) -> int:
    fresh = document()
    if "--check" not in arguments:
        FILE.write_bytes(fresh)
    elif not FILE.exists() or FILE.read_bytes() != fresh:
        print("docs/openapi.json 与接口定义不一致：请运行 make openapi，并把变化一起提交。", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
