#!/usr/bin/env python3
"""Hold the direction of the layers: a crate may depend only on crates named below it in LAYERS, only `server` and what
stands on it may know tokio, and only `python` may know PyO3. Reads the manifests; exits 1 with a line per breach."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LAYERS: dict[str, set[str]] = {
    "types": set(),
    "codec": {"types"},
    "sql": {"types"},
    "expr": {"types", "sql"},
    "storage": {"types", "codec"},
    "catalog": {"types", "storage"},
    "query": {"types", "sql", "expr", "storage", "catalog"},
    "engine": {"types", "codec", "sql", "expr", "storage", "catalog", "query", "wire"},
    "wire": {"types"},
    "client": {"types", "sql", "wire", "engine"},
    "server": {"types", "engine", "wire"},
    "cli": {"types", "client", "engine", "server", "sql", "storage", "wire"},
    "libtaos": {"types", "client", "wire"},
    "python": {"types", "client", "engine", "server", "cli", "wire", "sql", "libtaos"},
    "tests": {"types", "client", "engine", "server", "storage", "libtaos"},
}
# A runtime starts only where a server runs.
KNOWS_TOKIO = {"server", "cli"}
KNOWS_PYTHON = {"python"}


def manifests() -> list[tuple[str, Path]]:
    """Every workspace crate: its folder's name and its manifest."""
    found = [(path.parent.name, path) for path in sorted((ROOT / "crates").glob("*/Cargo.toml"))]
    return found + [(name, ROOT / name / "Cargo.toml") for name in ("python", "tests") if (ROOT / name / "Cargo.toml").exists()]


def main() -> int:
    """Check every manifest; the exit status."""
    breaches: list[str] = []
    checked = 0
    for name, path in manifests():
        manifest = tomllib.loads(path.read_text())
        if name not in LAYERS:
            breaches.append(f"{path}: crate {name} has no place in the layers")
            continue
        checked += 1
        for dependency in manifest.get("dependencies", {}):
            below = dependency.removeprefix("embudo-")
            if dependency.startswith("embudo-") and below not in LAYERS[name]:
                breaches.append(f"{path}: {name} must not depend on {below}")
            if dependency == "tokio" and name not in KNOWS_TOKIO:
                breaches.append(f"{path}: {name} must not know tokio")
            if dependency.startswith("pyo3") and name not in KNOWS_PYTHON:
                breaches.append(f"{path}: {name} must not know PyO3")
    for breach in breaches:
        print(breach)
    print(f"layers: {checked} passed, {len(breaches)} failed")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
