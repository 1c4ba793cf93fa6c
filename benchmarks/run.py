"""Benchmarks: `python benchmarks/run.py NAME... [--json FILE]` prints lines `name.metric value`.

Performance figures are ratios measured in one run; everything else is a property of the results.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

CASES = {
    "physics": 1000,
    "env": 10,
    "generate": 3000,
    "store": 3000,
    "faults": 100,
    "mine": 20_000,
    "independence": 600,
    "warp": 16,
    "walking": 120,
    "transfer": 3000,
}  # module in `cases` -> its size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(CASES), metavar="NAME", help=", ".join(sorted(CASES)))
    parser.add_argument("--size", type=int, help="repetitions or samples instead of the case's own number")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    results = {}
    for name in arguments.names:
        measure = importlib.import_module(f"cases.{name}").measure
        for metric, value in measure(arguments.size or CASES[name]).items():
            results[f"{name}.{metric}"] = value
            print(f"{name}.{metric} {value:.6g}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
