"""What MkDocs calls (``mkdocs.yml``): pages from the code and the checkout, and no outside address.

The home page, the contributors' guide and the list of changes are the files of the checkout, with
their links turned; the reference and the API are written from the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from pymdownx.slugs import slugify

from scripts.manual.addresses import outside
from scripts.manual.reference import PAGES

ROOT = Path(__file__).parents[2]
TAKEN = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
SOAK = "soak.md"  # of docs, once ``make soak`` has written it
PACKAGES = (
    "data", "store", "settings", "pdf", "evaluation", "simulation", "reference", "figures",
    "reports", "jobs", "prediction", "learning",
)  # fmt: skip
MORE = {"data": ("coefficients", "scaling", "split")}  # of use by themselves, and not exported


def on_config(config: Any) -> Any:
    """Anchors as GitHub makes them, so that one link serves both."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand in no file of ``docs``."""
    pages = {name: _turned(ROOT / path) for name, path in TAKEN.items()}
    pages |= {name: write() for name, write in PAGES.items()} | dict(api_pages())
    if not (ROOT / "docs" / SOAK).exists():
        pages[SOAK] = "# The soak\n\nIt has not been run in this checkout; `make soak` does.\n"
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_post_build(config: Any) -> None:
    """Refuse a site that loads anything from elsewhere."""
    found = sorted(set(outside(Path(config.site_dir))))
    if found:
        raise PluginError("The site would load from elsewhere: " + "; ".join(found))


def _turned(path: Path) -> str:
    """A file of the checkout's root as a page of ``docs``."""
    text = path.read_text(encoding="utf-8").replace("](docs/", "](")
    for name, taken in TAKEN.items():
        text = text.replace(f"]({taken}", f"]({name}")
    return text


def api_pages() -> Iterator[tuple[str, str]]:
    """A page for each package: what it exports or, where it exports nothing, its modules."""
    for name in PACKAGES:
        named = "\n\n".join(f"::: redshift_core.{one}" for one in _public(name))
        yield f"api/{name}.md", f"# {name}\n\n{named}\n"


def _public(name: str) -> Iterator[str]:
    """A package, the modules that speak for it, and the packages inside it."""
    folder = ROOT / "redshift_core" / name.replace(".", "/")
    yield name
    exports = "__all__" in (folder / "__init__.py").read_text(encoding="utf-8")
    modules = MORE.get(name, ()) if exports else sorted(path.stem for path in folder.glob("*.py"))
    yield from (f"{name}.{one}" for one in modules if not one.startswith("_"))
    for path in sorted(folder.glob("*/__init__.py")):
        yield from _public(f"{name}.{path.parent.name}")
