"""The sentences with which the product refuses or warns, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
GAP = "…"  # what differs from case to case
SAYING = (  # calls that say what their longest text is
    "InputError", "DamagedError", "ReadOnlyError", "JobFailed", "Remark", "warning", "error",
)  # fmt: skip
HANDING_OVER = (  # files whose functions return or list sentences that others show as they are
    "pages/ui/access", "pages/ui/server", "redshift_core/cli/rules", "redshift_core/data/catalogue",
    "redshift_core/data/scaling", "redshift_core/evaluation/predictions",
    "redshift_core/evaluation/verdict", "redshift_core/jobs/", "redshift_core/settings/layers",
    "redshift_core/store/faults", "redshift_core/store/simulator_version",
)  # fmt: skip
MESSAGES_OF: dict[str, tuple[str, ...]] = {  # heading → beginnings of the files that say them
    "Files of spectra": ("redshift_core/data/",),
    "Settings, presets, searches": ("redshift_core/settings/",),
    "p(z) and priors": ("redshift_core/pdf/",),
    "Training, searches, studies": ("redshift_core/learning/",),
    "Predictions": ("redshift_core/prediction/",),
    "Judging, figures, reports": (
        "redshift_core/evaluation/", "redshift_core/figures/", "redshift_core/reports/",
        "redshift_core/reference/",
    ),
    "Jobs and this machine": ("redshift_core/jobs/",),
    "Simulated surveys": ("redshift_core/simulation/",),
    "The store, ZIPs and results": (
        "redshift_core/store/", "redshift_core/errors", "redshift_core/constants",
    ),
    "The command line": ("redshift_core/cli/",),
    "The dashboard": ("pages/",),
}  # fmt: skip


@cache
def messages() -> list[tuple[str, str]]:
    """File (from the root) and sentence of every refusal and warning in the product's source."""
    found = []
    for path in _sources():
        file = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [(file, one) for one in _sentences(tree, file.startswith(HANDING_OVER))]
    return found


@cache
def texts() -> str:
    """Every text in the product's source, one a line, with gaps; for what no call above says."""
    found = []
    for path in _sources():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = _constants(tree)
        kinds = (ast.JoinedStr, ast.Constant, ast.BinOp)
        found += [_text(node, constants) for node in ast.walk(tree) if isinstance(node, kinds)]
    return "\n".join(found)


def _sources() -> list[Path]:
    return sorted(p for folder in ("redshift_core", "pages") for p in (ROOT / folder).rglob("*.py"))


def _sentences(tree: ast.Module, handing_over: bool) -> Iterator[str]:
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in SAYING:
            given = [*node.args, *(one.value for one in node.keywords)]
            text = max((_text(one, constants) for one in given), key=len, default="")
            if _length(text) > 10:  # more than gaps
                yield text.strip()
        elif handing_over and (value := _handed_over(node)) is not None:
            text = _text(value, constants).strip()
            if _length(text) > 25 and text.endswith((".", GAP)):
                yield text


def _length(text: str) -> int:
    return len(re.sub(rf"[{GAP}\W]", "", text))


def _handed_over(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.Return):
        return node.value
    if isinstance(node, ast.Call) and _called(node) == "append" and node.args:
        return node.args[0]
    return None


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def _constants(tree: ast.Module) -> dict[str, str]:
    """Texts that a module gives a name, which its sentences may end with."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def _text(node: ast.AST, constants: dict[str, str]) -> str:
    """Text of an expression, with a gap for whatever is not written out."""
    match node:
        case ast.Constant(value=str(value)):
            text = value
        case ast.JoinedStr(values=values):
            text = "".join(_text(value, constants) for value in values)
        case ast.FormattedValue(value=ast.Name(id=name)) | ast.Name(id=name):
            text = constants.get(name, GAP)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            text = _text(left, constants) + _text(right, constants)
        case _:
            text = GAP
    return re.sub(r"\s+", " ", text)
