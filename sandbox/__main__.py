"""`python -m sandbox --host 127.0.0.1 --port 8090 --data-dir DIR [--clock-file FILE]`.

Prints one line when it listens; port 0 takes a free one and the line names it. SIGTERM and SIGINT end it.
"""

import argparse
import asyncio
import signal
from pathlib import Path

import uvloop
from aiohttp import web

from sandbox.app import make_app

SHUTDOWN_WITHIN_S = 1.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox", description="Stands in for WeChat and WeChat Pay on loopback.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--clock-file", type=Path, default=None, help="default: clock-offset in the data directory")
    return parser.parse_args()


async def serve(host: str, port: int, data_dir: Path, clock_file: Path | None) -> None:
    """Listen until SIGTERM or SIGINT."""
    runner = web.AppRunner(make_app(data_dir, clock_file), access_log=None, shutdown_timeout=SHUTDOWN_WITHIN_S)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"sandbox listening on http://{host}:{runner.addresses[0][1]}", flush=True)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    """Run the sandbox from the command line."""
    arguments = _arguments()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(arguments.host, arguments.port, arguments.data_dir, arguments.clock_file))


if __name__ == "__main__":
    main()
