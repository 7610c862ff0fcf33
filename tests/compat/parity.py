"""Whether our `taos`, `taosrest` and `taosws` have every public name of the official packages, with signatures that take the same calls.

The official `taos` needs a C library to be imported, so its source is read instead: the names and parameters of its modules, classes and
functions. What `taosws` has is asked of its native module, in the environment that it is installed in.
"""

import ast
import importlib
import inspect
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Names that ours lack or have otherwise, each with its reason.
EXCEPTIONS: dict[str, str] = {
    "taos.connection.conn": "a variable of the module's own program",
    "taos.connection.connect": "a variable of the module's own program",
    "taosws.name": "a variable of the loop that copies the names of the native module",
    "taosws.importlib": "a module that the official package imports",
    "taosws.pkgutil": "a module that the official package imports",
    "taosws.sys": "a module that the official package imports",
    "taos.sqlalchemy.TDengineCompiler.visit_create_table": "CREATE TABLE is the DDL compiler's, as in SQLAlchemy",
    "taos.sqlalchemy.TDengineCompiler.create_column_specification": "columns are the DDL compiler's, as in SQLAlchemy",
    "taos.sqlalchemy.BaseDialect.do_rollback": "the parameter is named as in SQLAlchemy",
    "taosws.sqlalchemy.BaseDialect.do_rollback": "the parameter is named as in SQLAlchemy",
    "taos.sqlalchemy.TDengineIdentifierPreparer": "has no option of MySQL's",
    "taosws.sqlalchemy.TDengineIdentifierPreparer": "has no option of MySQL's",
    "taos.sqlalchemy.BaseDialect.is_sys_db": "the parameter has another name",
    "taosws.sqlalchemy.BaseDialect.is_sys_db": "the parameter has another name",
    "taos.sqlalchemy.BaseDialect.has_schema": "the parameter is named as in SQLAlchemy",
    "taosws.sqlalchemy.BaseDialect.has_schema": "the parameter is named as in SQLAlchemy",
    "taosrest.cursor.TaosRestCursor.setinputsizes": "takes sizes, as PEP 249 has it, and refuses them too",
}
#: Bases and imports of SQLAlchemy that a class only inherits.
INHERITED = {"dbapi"}

PROBE = """
import inspect, json, taosws
names = {}
for name in dir(taosws):
    value = getattr(taosws, name)
    if not name.startswith("_"):
        is_class = inspect.isclass(value) and not issubclass(value, BaseException)
        names[name] = [member for member in dir(value) if not member.startswith("_")] if is_class else []
print(json.dumps(names))
"""


class Missing(Exception):
    """What an official package has and ours has not."""


def official(folder: Path) -> Iterator[tuple[str, list[str] | None]]:
    """Every public name under a package's folder, and the parameters of what can be called; a `*` or `=` tells their kind."""
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder.parent).with_suffix("").parts
        if parts[-1].startswith("_") and parts[-1] != "__init__":
            continue
        module = ".".join(part for part in parts if part != "__init__")
        yield module, None
        yield from _names(ast.parse(file.read_text(encoding="utf-8")).body, module)


def _names(body: list[ast.stmt], place: str) -> Iterator[tuple[str, list[str] | None]]:
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            is_value = any(decorator == "property" or decorator.endswith(".setter") for decorator in decorators)
            yield f"{place}.{node.name}", None if is_value else _parameters(node.args)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            makers = [inner for inner in node.body if isinstance(inner, ast.FunctionDef) and inner.name == "__init__"]
            yield f"{place}.{node.name}", _parameters(makers[0].args) if makers else None
            yield from _names(node.body, f"{place}.{node.name}")
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and not target.id.startswith("_"):
                    yield f"{place}.{target.id}", None
        elif isinstance(node, ast.If):
            yield from _names([*node.body, *node.orelse], place)
        elif isinstance(node, ast.Try):
            yield from _names([*node.body, *node.orelse, *(inner for handler in node.handlers for inner in handler.body)], place)


def _parameters(arguments: ast.arguments) -> list[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    needed = len(positional) - len(arguments.defaults)
    found = [f"{one.arg}=" if at >= needed else one.arg for at, one in enumerate(positional)]
    found = [one for one in found if one not in ("self", "cls")]
    return found + ([f"*{arguments.vararg.arg}"] if arguments.vararg else []) + ([f"**{arguments.kwarg.arg}"] if arguments.kwarg else [])


def _find(path: str) -> Any:
    """The object of ours that a dotted path names."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            value = inspect.getattr_static(value, part) if inspect.isclass(value) else getattr(value, part)
        return value
    raise AttributeError(path)


def _takes(value: Any, wanted: list[str]) -> str | None:
    """Why a call as the official package takes it would fail; `None` where it would not."""
    value = value.__func__ if isinstance(value, staticmethod | classmethod) else value
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    ours = [parameter for parameter in signature.parameters.values() if parameter.name not in ("self", "cls")]
    takes_rest = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in ours)
    takes_names = any(parameter.kind is parameter.VAR_KEYWORD for parameter in ours)
    positional = [parameter for parameter in ours if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)]
    for at, one in enumerate(wanted):
        if one.startswith("**"):
            if not takes_names:
                return f"takes no {one}"
        elif one.startswith("*"):
            if not takes_rest:
                return f"takes no {one}"
        elif at >= len(positional):
            if not takes_rest:
                return f"lacks the parameter {one.rstrip('=')}"
        elif positional[at].name != one.rstrip("="):
            return f"names its parameter {positional[at].name} where {one.rstrip('=')} is expected"
        elif one.endswith("=") and positional[at].default is inspect.Parameter.empty:
            return f"wants a value for {one.rstrip('=')}"
    more = positional[len([one for one in wanted if not one.startswith("*")]) :]
    needed = [parameter.name for parameter in more if parameter.default is inspect.Parameter.empty]
    return f"wants a value for {needed[0]}" if needed else None


def differences(taospy: Path, taosws_python: Path) -> list[str]:
    """What is missing in ours. `taospy` is the folder of the official package, `taosws_python` an interpreter with the other one."""
    wanted = [entry for package in ("taos", "taosrest") for entry in official(taospy / package)]
    probed = subprocess.run([str(taosws_python), "-c", PROBE], check=True, capture_output=True, text=True)
    for name, members in json.loads(probed.stdout).items():
        wanted.append((f"taosws.{name}", None))
        wanted += [(f"taosws.{name}.{member}", None) for member in members]
    located = subprocess.run(
        [str(taosws_python), "-c", "import taosws; print(taosws.__path__[0])"], check=True, capture_output=True, text=True
    )
    wanted += [entry for entry in official(Path(located.stdout.strip())) if entry[0].startswith("taosws.sqlalchemy")]
    found = []
    for path, parameters in dict(wanted).items():
        if path in EXCEPTIONS or path.rpartition(".")[2] in INHERITED:
            continue
        try:
            value = _find(path)
        except AttributeError:
            found.append(f"{path} is missing")
            continue
        refusal = _takes(value, parameters) if parameters is not None else None
        if refusal:
            found.append(f"{path} {refusal}")
    return found


def check(taospy: Path, taosws_python: Path) -> int:
    """How many names were compared; raises where one of them is missing."""
    missing = differences(taospy, taosws_python)
    if missing:
        raise Missing("\n".join(missing))
    return sum(1 for package in ("taos", "taosrest") for _ in official(taospy / package))
