"""Who owns ``taos``, ``taosrest`` and ``taosws`` in this environment, and the pip command that makes them this package's.

pip lets two distributions write the same files: the one that was installed last owns them, and uninstalling one takes the other's files
away. Which files are ours is what our own ``RECORD`` says.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import Literal, NamedTuple

__all__ = ["OFFICIAL", "Owner", "owner", "repair", "requirers", "version"]

#: The official distribution of each module.
OFFICIAL = {"taos": "taospy", "taosrest": "taospy", "taosws": "taos-ws-py"}

_OURS = "embudo"


class Owner(NamedTuple):
    """Whose the files of a module are: ``mixed`` are some of ours beside some that are not."""

    kind: Literal["ours", "official", "other", "mixed", "missing"]
    place: pathlib.Path | None


def version(distribution: str) -> str | None:
    """The version of a distribution that is installed, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def owner(module: str) -> Owner:
    """Whose files an import of this module would read."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        return Owner("missing", None)
    place = pathlib.Path(spec.origin).resolve().parent
    kept: list[bool] = []
    if place == _folder(module):
        kept = [_is_as_installed(file) for file in _our_files(module)]
        ours = all(kept)
    else:
        # Only on the path, or installed to be edited.
        ours = _reads_as_ours(place / "__init__.py")
    if ours:
        return Owner("ours", place)
    if version(OFFICIAL[module]) is not None:
        return Owner("official", place)
    return Owner("mixed" if any(kept) else "other", place)


def _our_files(module: str) -> Iterator[importlib.metadata.PackagePath]:
    """What our distribution has installed of a module; nothing where it is only on the path."""
    try:
        files = importlib.metadata.files(_OURS)
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files or ():
        if file.parts[0] == module and file.suffix == ".py":
            yield file


def _folder(module: str) -> pathlib.Path | None:
    """The folder that our distribution's files of a module were written into."""
    for file in _our_files(module):
        return pathlib.Path(str(file.locate())).parents[len(file.parts) - 2].resolve()
    return None


def _is_as_installed(file: importlib.metadata.PackagePath) -> bool:
    try:
        content = pathlib.Path(str(file.locate())).read_bytes()
    except OSError:
        return False
    if file.hash is None:
        return True
    digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, content).digest()).rstrip(b"=")
    return digest.decode() == file.hash.value


def _reads_as_ours(file: pathlib.Path) -> bool:
    try:
        return "embudo" in file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def requirers(distribution: str) -> list[str]:
    """The installed distributions, other than the official ones, that require one of them."""
    wanted = _normal(distribution)
    found = set()
    for other in importlib.metadata.distributions():
        if _normal(other.name) in {_normal(name) for name in OFFICIAL.values()}:
            continue
        for requirement in other.requires or ():
            name = re.match(r"[A-Za-z0-9._-]+", requirement)
            if name is not None and _normal(name[0]) == wanted and "extra ==" not in requirement:
                found.add(other.name)
    return sorted(found)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def repair() -> str:
    """The command after which the three modules are this package's.

    Official distributions go first, so that a later uninstall takes nothing of ours away; but one that another distribution requires stays
    installed, or that one would count as broken: only its files are written over.
    """
    leaving = [name for name in dict.fromkeys(OFFICIAL.values()) if version(name) is not None and not requirers(name)]
    install = f"python -m pip install --force-reinstall --no-deps {_source()}"
    return f"python -m pip uninstall -y {' '.join(leaving)} && {install}" if leaving else install


def _source() -> str:
    """What pip was given to install this package from."""
    try:
        text = importlib.metadata.distribution(_OURS).read_text("direct_url.json")
        said = json.loads(text) if text else {}
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return _OURS
    url = said.get("url")
    if not isinstance(url, str):
        return _OURS
    if "vcs_info" in said:
        url = f"{said['vcs_info'].get('vcs', 'git')}+{url}@{said['vcs_info'].get('commit_id', '')}"
    editable = "--editable " if said.get("dir_info", {}).get("editable") else ""
    return editable + shlex.quote(url)
