"""Opens one page as the first visitor of a server does, and says how long that took.

    python -m pages.ui.first_paint evaluate run=RUN on=DATASET

The words after the page are its address. Printed is a JSON list: seconds, and seconds of the CPU,
from the click to the whole page. `bench --scale` runs it, and watches its memory.
"""

from __future__ import annotations

import json
import sys
import time

from streamlit.testing.v1 import AppTest

from pages.ui import remarks
from redshift_core.store import CHECKOUT

LIMIT = 600.0  # s


def main(page: str, *address: str) -> int:
    """Open a page; exit code 1 where it shows an error."""
    app = AppTest.from_file(str(CHECKOUT / "app.py"), default_timeout=LIMIT)
    app.switch_page("pages/glossary.py").run()  # what every page needs is loaded
    for word in address:
        name, _, value = word.partition("=")
        app.query_params[name] = value
    seconds, cpu = time.perf_counter(), time.process_time()
    app.switch_page(f"pages/{page}.py").run()
    spent = [time.perf_counter() - seconds, time.process_time() - cpu]
    wrong = [one.message for one in app.exception]
    wrong += [one.value for one in app.error if one.icon != remarks.ICON]
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    print(json.dumps(spent))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
