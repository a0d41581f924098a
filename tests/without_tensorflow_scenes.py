"""Runs commands and opens pages in one process, and tells what came of each, as JSON.

``python -m tests.without_tensorflow_scenes FILE``: FILE holds ``commands``, lists of arguments, and
``pages``, each with ``page`` and ``query``. Of a command: ``code``, ``out``, ``err``. Of a page:
``error`` (None where it was drawn), ``info`` (sentences in boxes), ``off`` (labels of the buttons
that are disabled), ``words``. ``loaded`` names what the process has loaded of TensorFlow.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import json
import sys

from streamlit.components.v2 import manifest_scanner

from redshift_core import cli
from tests.pages.test_app import app, words


def run(arguments: list[str]) -> dict:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main(arguments)
        except SystemExit as ended:
            return {"code": ended.code, "out": out.getvalue(), "err": err.getvalue()}


def visit(page: str, query: dict[str, str]) -> dict:
    at = app(page, **query)
    return {
        "error": at.exception[0].value if at.exception else None,
        "info": [one.value for one in at.info],
        "off": [one.label for one in at.button if one.disabled],
        "words": words(at),
    }


def main(scenes: dict) -> dict:
    scan = manifest_scanner.scan_component_manifests  # see conftest.packages_read_once
    manifest_scanner.scan_component_manifests = functools.cache(scan)
    commands = [run(arguments) for arguments in scenes["commands"]]
    gc.freeze()  # see tests/pages/conftest.py
    pages = [visit(**one) for one in scenes["pages"]]
    loaded = {"tensorflow", "keras", "keras_tuner"} & set(sys.modules)
    return {"commands": commands, "pages": pages, "loaded": sorted(loaded)}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(main(json.load(file))))
