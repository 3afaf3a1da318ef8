"""`python -m demo start | next-week`: see `--help`. Run from `examples/demand`."""

from __future__ import annotations

import argparse
import sys

from demo import check, next_week, start
from demo.terminal import Failed


def main() -> int:
    """Run one scene; answer the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description="Real sales data, governed, deployed, explained.")
    scenes = parser.add_subparsers(dest="scene", required=True)
    first = scenes.add_parser("start")
    first.add_argument("--data", default="", help="the UCI file (csv, csv.xz, zip) instead of the download")
    first.add_argument(
        "--check", action="store_true", help="nobody is there: approve with the demo's second key, print one JSON line"
    )
    second = scenes.add_parser("next-week")
    second.add_argument("--check", action="store_true", help="approve with the demo's second key")
    arguments = parser.parse_args()
    try:
        if arguments.scene == "next-week":
            return next_week.play(checking=arguments.check)
        return check.play(arguments.data) if arguments.check else start.play(arguments.data)
    except Failed as failed:
        return failed.code
    except KeyboardInterrupt:
        print("\nstopped; everything finished is kept. Again: make demo")
        return 130


if __name__ == "__main__":
    sys.exit(main())
