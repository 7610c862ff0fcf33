#!/usr/bin/env python3
"""Replay the recorded answers of a TDengine 3.3.1 against our server and hold the share that agrees above a floor that
only rises (`golden-floor.json`). The recordings lie beside the project (`../shared/golden`, or EMBUDO_GOLDEN); without
them the check is skipped by name.

    golden.py [--show N] [--only SUITE]
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from serving import serving

ROOT = Path(__file__).resolve().parent.parent
FLOORS = Path(__file__).with_name("golden-floor.json")


def replay(golden: Path, folder: str, zone: str, extra: list[str]) -> tuple[int, int]:
    """Cases that agree and all cases of one folder, on a fresh server in that zone."""
    with serving(":memory:", zone=zone) as url:
        command = [sys.executable, str(golden / "replay.py"), "--url", url, *extra, str(golden / folder)]
        output = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout
    print(output, end="")
    agree = re.search(r"^agree (\d+) of (\d+) ", output, re.MULTILINE)
    return (int(agree[1]), int(agree[2])) if agree else (0, 1)


def main() -> int:
    """Every recorded folder; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", default="0")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    golden = Path(os.environ.get("EMBUDO_GOLDEN", ROOT.parent / "shared" / "golden"))
    if not golden.exists():
        print(f"skipped: no recordings at {golden}")
        return 0
    extra = ["--show", arguments.show] + (["--only", arguments.only] if arguments.only else [])
    floors: dict[str, float] = json.loads(FLOORS.read_text())
    zones = {"cases": "UTC", "zones/America_New_York": "America/New_York", "zones/Asia_Shanghai": "Asia/Shanghai"}
    passed = failed = 0
    for folder, floor in floors.items():
        agree, cases = replay(golden, folder, zones[folder], extra)
        share = agree / max(cases, 1)
        held = share >= floor or arguments.only is not None
        passed, failed = passed + held, failed + (not held)
        print(f"golden {folder}: {agree} of {cases} agree ({share:.1%}), floor {floor:.1%}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
