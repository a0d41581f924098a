"""JSON written whole or not at all, names for folders, and where the store is."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
CHECKOUT = PACKAGE.parent


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file; empty where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def write_json(path: Path, value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write a JSON file whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.tmp")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def slug(text: str, default: str = "unnamed") -> str:
    """Lower-case letters, digits and dashes of a name, at most 40, safe in a path and a URL."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or default


def store_root() -> Path:
    """``$REDSHIFT_LAB_HOME``, else ``data/`` of the checkout, else the user's data folder."""
    if home := os.environ.get("REDSHIFT_LAB_HOME"):
        return Path(home).expanduser().resolve()
    if (CHECKOUT / "pyproject.toml").exists():
        return CHECKOUT / "data"
    import platformdirs

    return Path(platformdirs.user_data_dir("redshift-lab", appauthor=False))


def dashboard_root() -> Path:
    """Folder that holds app.py, pages/ and data/demo/: the checkout, or the wheel's copy."""
    installed = PACKAGE / "dashboard"
    return installed if installed.exists() else CHECKOUT


def demo_file() -> Path:
    """The committed demo survey (SIMULATED)."""
    return dashboard_root() / "data" / "demo" / "survey.parquet"
