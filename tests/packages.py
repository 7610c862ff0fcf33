#!/usr/bin/env python3
"""What pip makes of this package, in fresh environments: alone, with its extras, before and after the official packages, when one of
those is uninstalled, beside a package that requires them, under later Pythons; and whether the source distribution is whole.

    packages.py WHEEL [--build-source]

Where pip finds no registry, what needs one is named as skipped. `--build-source` makes a wheel of the source distribution, which takes
a release build; without it the unpacked sources are only looked through.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OFFICIAL = ("taospy==2.8.10", "taos-ws-py==0.7.0")
EXTRAS = {"adbc", "arrow", "pandas", "plot", "polars", "sqlalchemy", "test"}
LATER_PYTHONS = ("3.12", "3.13", "3.14")

# What a user's program does with all three modules, on a database in memory.
PROGRAM = """
import os
os.environ["EMBUDO_DSN"] = ":memory:"
import embudo, taos, taosrest, taosws
assert taos.connect().query("SELECT 1 + 1").fetch_all() == [(2,)]
assert taosrest.connect().query("SELECT 1 + 1").data == [[2]]
cursor = taosws.connect("taosws://localhost:6041").cursor()
cursor.execute("SELECT 1 + 1")
assert cursor.fetchall() == [(2,)]
with embudo.connect() as conn:
    conn.execute("CREATE DATABASE d")
    conn.execute("CREATE TABLE d.t (ts TIMESTAMP, v INT)")
    conn.execute("INSERT INTO d.t VALUES (NOW, ?)", [7])
    assert conn.execute("SELECT v FROM d.t").fetchall() == [(7,)]
"""
INSTALL_AS_TAOS = "import embudo\nembudo.install_as_taos()\n" + PROGRAM
SQLALCHEMY = """
import os
os.environ["EMBUDO_DSN"] = ":memory:"
import sqlalchemy
for url in ("embudo:///:memory:", "taos://localhost", "taosrest://localhost", "taosws://localhost:6041"):
    with sqlalchemy.create_engine(url).connect() as conn:
        assert conn.execute(sqlalchemy.text("SELECT 1 + :one"), {"one": 1}).scalar() == 2, url
        assert "embudo" in type(conn.dialect).__module__, url
"""


class Skipped(Exception):
    """Why something could not be tried."""


class Environment:
    """A virtual environment of its own, with pip."""

    def __init__(self, folder: Path, wheel: Path, base: str | None = None) -> None:
        self.wheel = wheel
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        self._variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "EMBUDO"))}
        self._variables["PATH"] = f"{self.bin}{os.pathsep}{self._variables.get('PATH', '')}"
        if base is None:
            venv.create(folder, with_pip=True)
        else:
            subprocess.run([base, "-m", "venv", str(folder)], check=True, timeout=300)

    def run(self, *command: str, status: int = 0) -> str:
        """What a program of the environment prints; it must end with this status."""
        program = shutil.which(command[0], path=str(self.bin)) or command[0]
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, env=self._variables, timeout=600, check=False)
        assert done.returncode == status, f"{shlex.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def install(self, *requirements: str) -> None:
        """Installs what the registry has."""
        command = [str(self.bin / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        if subprocess.run(command, env=self._variables, capture_output=True, timeout=600, check=False).returncode:
            raise Skipped(f"{' '.join(requirements)} could not be installed")

    def install_ours(self, *extra: str) -> None:
        """Installs the wheel, without any registry."""
        self.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", *extra, str(self.wheel))

    def program(self, code: str, status: int = 0) -> None:
        """Runs a program."""
        self.run("python", "-c", code, status=status)

    def doctor(self, status: int = 0) -> dict[str, dict[str, str | None]]:
        """What the doctor finds, by the name of the check."""
        findings = json.loads(self.run("python", "-m", "embudo", "doctor", "--json", status=status))
        return {finding["check"]: finding for finding in findings}

    def repaired(self, module: str, found: dict[str, dict[str, str | None]]) -> None:
        """Does what the doctor advises for a module, after which everything is as it should be."""
        advice = found[f"module {module}"]["advice"]
        assert advice is not None
        command = advice[advice.index("python -m pip") :]
        subprocess.run(command, shell=True, check=True, env=self._variables, capture_output=True, timeout=600)
        owned(self.doctor())
        self.program(PROGRAM)


def owned(found: dict[str, dict[str, str | None]]) -> None:
    """The doctor finds nothing amiss."""
    for check in ("module taos", "module taosrest", "module taosws", "SQLAlchemy dialects"):
        assert found[check]["status"] == "ok", found[check]


def alone(environment: Environment) -> None:
    """Nothing else comes with it, and the program and the modules work."""
    environment.install_ours()
    listed = json.loads(environment.run("python", "-m", "pip", "list", "--format=json", "--disable-pip-version-check"))
    assert {entry["name"] for entry in listed} <= {"embudo", "pip", "setuptools", "wheel"}, listed
    environment.program(PROGRAM)
    assert "embudo" in environment.run("embudo", "--version")
    owned(environment.doctor())
    code = "import importlib.metadata as m; print(*m.metadata('embudo').get_all('Provides-Extra'))"
    assert set(environment.run("python", "-c", code).split()) == EXTRAS
    typed = "import importlib.util, pathlib\nfor name in ('embudo', 'taos', 'taosrest', 'taosws', 'adbc_driver_embudo'):\n"
    environment.program(typed + "    assert (pathlib.Path(importlib.util.find_spec(name).origin).parent / 'py.typed').exists(), name")


def ours_then_official(environment: Environment) -> None:
    """The official packages write over ours; the doctor's command brings ours back."""
    environment.install_ours()
    environment.install(*OFFICIAL)
    found = environment.doctor()
    assert "that of taospy 2.8.10" in str(found["module taos"]["detail"])
    assert "that of taos-ws-py 0.7.0" in str(found["module taosws"]["detail"])
    environment.program(INSTALL_AS_TAOS)
    environment.repaired("taos", found)


def official_then_ours(environment: Environment) -> None:
    """Ours write over the official packages; uninstalling one of those takes files of ours away, and the doctor's command repairs that."""
    environment.install(*OFFICIAL)
    environment.install_ours()
    environment.program(PROGRAM)
    found = environment.doctor()
    assert "taospy 2.8.10 is installed too" in str(found["module taos"]["detail"])
    for package, module, other in (("taospy", "taos", "taosws"), ("taos-ws-py", "taosws", "taosrest")):
        environment.run("python", "-m", "pip", "uninstall", "--quiet", "-y", package)
        found = environment.doctor(status=1)
        assert found[f"module {module}"]["status"] == "failed", found
        assert found[f"module {other}"]["status"] != "failed", found
        if package == "taospy":
            # The other official one stays, to be uninstalled next.
            environment.install_ours("--force-reinstall", "--no-deps")
    environment.repaired("taosws", found)


def beside_a_requirer(environment: Environment) -> None:
    """A package that requires taospy runs on ours, and pip finds every requirement met."""
    environment.install_ours()
    third = environment.bin.parent / "needs_taospy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(third, "w") as archive:
        archive.writestr("needs_taospy.py", "import taos\n\n\ndef rows():\n    return taos.connect().query('SELECT 1').fetch_all()\n")
        folder = "needs_taospy-1.0.dist-info"
        archive.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: needs-taospy\nVersion: 1.0\nRequires-Dist: taospy>=2.7\n")
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{folder}/RECORD", f"needs_taospy.py,,\n{folder}/METADATA,,\n{folder}/WHEEL,,\n{folder}/RECORD,,\n")
    environment.install(str(third))
    found = environment.doctor()
    assert "that of taospy" in str(found["module taos"]["detail"]), found
    assert "uninstall" not in str(found["module taos"]["advice"]), found
    environment.repaired("taos", found)
    environment.program("import os\nos.environ['EMBUDO_DSN'] = ':memory:'\nimport needs_taospy\nassert needs_taospy.rows() == [(1,)]")
    environment.run("python", "-m", "pip", "check")


def with_sqlalchemy(environment: Environment) -> None:
    """The extra brings SQLAlchemy, whose URLs of every name are ours, beside the official packages too."""
    environment.install(f"{environment.wheel}[sqlalchemy]")
    environment.program(SQLALCHEMY)
    environment.install(*OFFICIAL)
    environment.install_ours("--force-reinstall", "--no-deps")
    environment.program(SQLALCHEMY)


def under(version: str) -> Callable[[Environment], None]:
    """The one wheel serves later Pythons."""

    def run(environment: Environment) -> None:
        environment.install_ours()
        environment.program(PROGRAM)

    run.__doc__ = f"Under Python {version}."
    return run


def interpreter(version: str) -> str:
    """Where a Python of this version is: on the path or among pyenv's."""
    candidates = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}*/bin/python{version}"))]
    for candidate in candidates:
        if candidate is not None and not subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode:
            return candidate
    raise Skipped(f"there is no Python {version}")


def source(folder: Path, build: bool) -> None:
    """The source distribution has all that it takes to build it, the licences and the README."""
    if shutil.which("cargo") is None:
        raise Skipped("cargo is not installed")
    maturin = [sys.executable, "-m", "maturin"]
    made = [*maturin, "sdist", "--manifest-path", str(ROOT / "python/Cargo.toml"), "--out", str(folder)]
    subprocess.run(made, check=True, capture_output=True, timeout=600)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    (unpacked,) = (entry for entry in folder.iterdir() if entry.is_dir())
    for name in ("README.md", "LICENSE-MIT", "LICENSE-APACHE", "PKG-INFO", "Cargo.lock", "embudo/py.typed"):
        assert (unpacked / name).is_file(), name
    assert "Description-Content-Type: text/markdown" in (unpacked / "PKG-INFO").read_text()
    complete(unpacked)
    if build:
        # A target folder of its own: files of a distribution are older than any build, so that another's would pass for theirs.
        environment = {**os.environ, "CARGO_TARGET_DIR": str(folder / "target")}
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "built"), str(archive)]
        subprocess.run(command, check=True, timeout=3600, cwd=folder, env=environment)
        (wheel,) = (folder / "built").glob("*.whl")
        alone(Environment(folder / "environment", wheel))


def complete(unpacked: Path) -> None:
    """Every file of the crates is there, what sources include too, and cargo finds a workspace of them."""
    members = [f"crates/{entry.name}" for entry in (unpacked / "crates").iterdir()]
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", *members, "python/src"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        missing = [name for name in listed.splitlines() if (ROOT / name).exists() and not (unpacked / name).exists()]
        assert not missing, f"not in the source distribution: {missing}"
    # Tests may include what only the repository has: nobody who builds a distribution runs them.
    for source_file in (file for file in unpacked.rglob("*.rs") if "tests" not in {file.stem, *file.parts}):
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source_file.read_text().split("#[cfg(test)]")[0]):
            assert (source_file.parent / name).exists(), f"{source_file.relative_to(unpacked)} includes {name}"
    command = ["cargo", "metadata", "--quiet", "--format-version", "1", "--manifest-path", str(unpacked / "python/Cargo.toml")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout)
    assert {"embudo-python", "embudo-server", "embudo-libtaos"} <= {package["name"] for package in found["packages"]}


SCENARIOS: dict[str, Callable[[Environment], None]] = {
    "alone": alone,
    "embudo, then taospy and taos-ws-py": ours_then_official,
    "taospy and taos-ws-py, then embudo; either is uninstalled": official_then_ours,
    "beside a package that requires taospy": beside_a_requirer,
    "with SQLAlchemy": with_sqlalchemy,
}


def main() -> int:
    """Every scenario in an environment of its own; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--build-source", action="store_true")
    given = parser.parse_args()
    wheel = given.wheel.resolve()
    steps: dict[str, Callable[[Path], None]] = {
        name: lambda folder, scenario=scenario: scenario(Environment(folder / "venv", wheel))  # type: ignore[misc]
        for name, scenario in SCENARIOS.items()
    }
    for version in LATER_PYTHONS:
        steps[f"Python {version}"] = lambda folder, version=version: under(version)(  # type: ignore[misc]
            Environment(folder / "venv", wheel, interpreter(version))
        )
    steps["source distribution"] = lambda folder: source(folder, given.build_source)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name, step in steps.items():
        with tempfile.TemporaryDirectory(prefix="embudo-packages-") as folder:
            try:
                step(Path(folder))
                outcome, reason = "passed", ""
            except Skipped as skipped:
                outcome, reason = "skipped", f": {skipped}"
            except (AssertionError, subprocess.SubprocessError) as error:
                outcome, reason = "failed", f": {error}"
        counts[outcome] += 1
        print(f"{name}: {outcome}{reason}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
