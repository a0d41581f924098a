"""The result of a study: limit.json, limit.md, limit.html, each of which says SIMULATED."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

import pandas as pd

from redshift_core.constants import MISSING, shown
from redshift_core.evaluation.comparison import recipe_text
from redshift_core.evaluation.extrapolation import MIN_SIZES
from redshift_core.figures import limit_curve
from redshift_core.store import LimitFolder, read_json, write_json
from redshift_core.store.files import write_text
from redshift_core.store.study_records import Limit, LimitResult, Ratio
from redshift_core.store.tables import markdown_text

WORDS = {"mae": "MAE", "crps": "CRPS"}
MEANING = (
    "The intervals hold (1) the choice of test galaxies, drawn again {draws:,} times, the same "
    "ones for every training and recipe; (2) the scatter from one training to the next and what "
    "the form of the curve leaves, as Student-t deviates with {dof} degrees of freedom and a scale "
    "of {scatter:.1e} ({source}) at every training of every draw. They do not hold what a larger "
    "network, longer training or a bend of the curve beyond the largest size would change."
)


def write_results(folder: LimitFolder, limits: dict[str, Limit]) -> None:
    """Write what is there in every form.

    Parameters
    ----------
    limits : dict
        MAE and CRPS, ``mae`` and ``crps``; empty where there are too few sizes.
    """
    result = LimitResult(
        limit=folder.id,
        recipe=recipe_text(folder.config.base),
        config=folder.config.to_dict(),
        plan=read_json(folder.plan_path),
        environment=folder.environment,
        rows=tuple(folder.rows),
        recipes=tuple(folder.recipes),
        limits=limits,
    )
    write_text(folder.table_path, markdown(result))
    if result.rows:
        figure = limit_curve(result.rows, limits.get("mae"), result.recipes)
        write_text(folder.figure_path, figure.to_html(include_plotlyjs=True))
    write_json(folder.limit_path, result.to_dict())  # last: where it is, the others are


def markdown(result: LimitResult) -> str:
    """A study's ``limit.json`` as Markdown, for a note or a README."""
    environment = result.environment
    date = datetime.fromtimestamp(environment.get("date", 0), UTC)
    device = environment.get("device", {}).get("text", "")
    parts = [
        "# The information limit of the simulated survey (SIMULATED)",
        f"Recipe {result.recipe}: trained on ever more fresh SIMULATED galaxies, judged on the "
        f"same {result.config['n_test']:,} SIMULATED galaxies (seed "
        f"{result.config['seed']}). {date:%Y-%m-%d}, {device}.",
        _rows_table(result),
        *_limit_texts(result),
        *_check_text(result),
        _recipes_table(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rows_table(result: LimitResult) -> str:
    mae = result.limits.get("mae")
    return _markdown(
        {
            "galaxies": f"{row.n:,}" + (" (half the steps)" if row.check else ""),
            "epochs": f"{row.epochs:.3g}",
            "spectra shown": shown(row.spectra, ","),
            "MAE": f"{row.mae:.5f}",
            "above the limit": f"{row.mae / mae.limit - 1:+.1%}" if mae else MISSING,
            "CRPS": shown(row.figures["crps"], ".5f"),
            "σ_NMAD": f"{row.figures['sigma_nmad']:.5f}",
            "training": f"{row.seconds:,.0f} s",
        }
        for row in result.rows
    )


def _limit_texts(result: LimitResult) -> list[str]:
    """Limit of each figure, and what its interval means."""
    if not result.limits:
        sizes = len({row.n for row in result.rows if not row.check})
        return [f"No limit yet: {sizes} sizes are done, and the curve a + b·n^(−c) has three "
                f"numbers; it needs {MIN_SIZES} sizes or more."]  # fmt: skip
    texts = []
    for name, one in result.limits.items():
        texts.append(
            f"**{WORDS[name]} at infinite data: {one.limit:.5f}** (68 %: "
            f"{_interval(one, '68')}; 95 %: {_interval(one, '95')}), the a of a + b·n^(−c) "
            f"with b = {one.b:.4g}, c = {one.c:.3f}. SIMULATED."
        )
        if one.without:
            low, high = min(one.without.values()), max(one.without.values())
            texts[-1] += f" Any one size left out: {low:.5f} to {high:.5f}."
        if one.at_edge:
            texts[-1] += " The exponent c ran into its range: these sizes do not determine a limit."
    first = next(iter(result.limits.values()))
    repeats = result.config["repeats"] > 1
    source = "from repeats or residuals, the larger" if repeats else "from the residuals"
    texts.append(
        MEANING.format(draws=first.draws, dof=first.dof, scatter=first.scatter, source=source)
    )
    return texts


def _check_text(result: LimitResult) -> list[str]:
    """What half the steps cost at one large size."""
    half = next((row for row in result.rows if row.check), None)
    if half is None:
        return []
    whole = next(
        row for row in result.rows
        if not row.check and (row.n, row.repeat) == (half.n, half.repeat)
    )  # fmt: skip
    return [
        f"Do more steps still help? On the same {half.n:,} galaxies, {half.epochs:.3g} "
        f"instead of {whole.epochs:.3g} epochs gave MAE {half.mae:.5f} instead of "
        f"{whole.mae:.5f} ({half.mae / whole.mae - 1:+.1%})."
    ]


def _recipes_table(result: LimitResult) -> str:
    if not result.recipes:
        return ""
    mae = result.limits.get("mae")
    lines = []
    for row in sorted(result.recipes, key=lambda one: one.mae):
        ratio = mae and mae.ratios.get(row.run)
        against = f"{ratio.ratio:.3f} ({_interval(ratio, '68', 3)})" if ratio else MISSING
        lines.append(
            {
                "recipe": f"{row.preset} ({row.name})",
                "training galaxies": shown(row.n or None, ","),
                "MAE": f"{row.mae:.5f}",
                "MAE / limit (68 %)": against,
                "CRPS": shown(row.figures["crps"], ".5f"),
                "σ_NMAD": f"{row.figures['sigma_nmad']:.5f}",
            }
        )
    heading = "Recipes against the limit, on the study's own test galaxies (SIMULATED):"
    return f"{heading}\n\n{_markdown(lines)}"


def _markdown(lines: Iterable[dict[str, str]]) -> str:
    frame = pd.DataFrame(lines)
    return markdown_text(frame, right=frame.columns[1:])


def _interval(one: Limit | Ratio, level: str, digits: int = 5) -> str:
    ends = one.intervals[level]  # a ratio has no upper end where the limit may be zero
    low, high = (f"{end:.{digits}f}" if math.isfinite(end) else "∞" for end in ends)
    return f"{low} to {high}"
