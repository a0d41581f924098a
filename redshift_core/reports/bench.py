"""The rows of a bench as people read them: a Markdown table, one JSON object, one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from redshift_core.constants import MISSING, shown
from redshift_core.evaluation.bins import limits_text
from redshift_core.evaluation.intervals import fitting
from redshift_core.evaluation.stress import UNPERTURBED
from redshift_core.figures.bench import accuracy_against_time
from redshift_core.pdf import FLAT, TRAINING
from redshift_core.reports import document
from redshift_core.reports.bench_rows import seconds_to_reach
from redshift_core.reports.document import Chart, Section, Table
from redshift_core.store import BenchFolder, write_json
from redshift_core.store.files import write_text
from redshift_core.store.records import Record, StressLine
from redshift_core.store.study_records import BenchResult, BenchRow, Outsiders, Tail
from redshift_core.store.tables import markdown_text

NOTES = (
    "MAE in z, with the middle 68 % of bootstrap draws; bias is the median of e_z, outliers are "
    "those beyond 0.15; CRPS, PIT and coverage where a method gives a p(z). Training is the time "
    "of the epochs, validation included, or of fitting what was kept; CPU is that of the whole "
    "worker, which also starts, reads, scales, chooses and judges. Reaches: when a network's "
    "validation MAE was first as low as that of the dissertation's recipe at its end, known at the "
    "end of each epoch. Speed is that of a loaded, warm model, of networks with the engine that "
    "`predict` has, ONNX Runtime; memory is the most that the worker "
    "training it, or the one predicting with it, had at once. Every method had the same rows to "
    "learn from; the baselines, too, the spectra divided by their mean, with log brightness and "
    "log scatter. These figures read every test row once per method."
)

STRESS_NOTES = (
    "MAE on n of the test rows, evenly spread, as they are and perturbed; in brackets its ratio to "
    "that of the same rows as they are. Rounding: decimals of the flux in e⁻ s⁻¹. White noise: in "
    "units of each spectrum's mean flux. Calibration: a cubic per band, rms. Noise +20 %: the "
    "SIMULATED instrument's noise made so much larger. More in docs/stress.md."
)
FLAG_NOTES = (
    "Share of the same spectra that the network flags as outside its training range; ! where the "
    "verdict on the file as a whole says that it is another kind of data."
)


def write_tables(bench: BenchFolder) -> None:
    """Write the rows that are done as ``bench.md``, ``bench.json`` and ``bench.html``."""
    value = summary(bench)
    bench.output.mkdir(exist_ok=True)
    write_json(bench.json_path, value.to_dict())
    frame = comparison(value.rows)
    title, about = _title(value), lead(value)
    parts = [f"# {title}", about, _markdown(frame), NOTES, *remarks(value)]
    sections = [
        Section("Side by side", [Table(frame, "bench", NOTES, "Methods."), *remarks(value)])
    ]
    for heading, table in extras(value).items():
        parts += [f"## {heading}", _markdown(table.frame), table.caption]
        sections.append(Section(heading, [table]))
    text = "\n\n".join(filter(None, parts)) + "\n"
    write_text(bench.table_path, text)
    chart = Chart(
        accuracy_against_time(value.rows),
        "Mean absolute error on the test rows against training time in s; a line shows a "
        "network's validation MAE after each epoch.",
        "Accuracy against training time: " + _spoken(value.rows),
    )
    sections.insert(1, Section("Time", [chart]))
    html = document.render(title, about, sections, bool(value.simulated))
    document.write(bench.page_path, html)


def summary(bench: BenchFolder) -> BenchResult:
    """Everything measured so far: the content of ``bench.json``."""
    config, environment = bench.config, bench.environment
    parts = {name: bench.row(name) for name in (*config.ordered, "tail", "outsiders")}
    done = [name for name, row in parts.items() if "finished" in row]

    def read(part: str, kind: type[Record]) -> Any:
        return kind.from_dict(parts[part], bench.row_path(part)) if part in done else None

    return BenchResult(
        tail=read("tail", Tail),
        outsiders=read("outsiders", Outsiders),
        bench=bench.id,
        simulated=environment.get("dataset", {}).get("simulated"),
        config=config.to_dict(),
        environment=environment,
        rows=tuple(read(name, BenchRow) for name in config.ordered if name in done),
        missing=tuple(name for name in config.ordered if name not in done),
        failed={name: row["error"] for name, row in parts.items() if "error" in row},
    )


def comparison(rows: Sequence[BenchRow]) -> pd.DataFrame:
    """One line per row, the most accurate first, every figure as text."""
    goal = next((row.val_mae for row in rows if row.name == "dissertation"), None)
    ordered = sorted(rows, key=lambda row: row.mae)
    return pd.DataFrame([_line(row, goal) for row in ordered])


def _line(row: BenchRow, goal: float | None) -> dict[str, str]:
    figures = row.figures
    low, high = row.intervals["mae"]
    form = fitting(".4f", (low, high))
    reached = seconds_to_reach(row, goal) if goal else None
    unit = "epoch" if row.epochs == 1 else "epochs"
    covers = (shown(figures.get(name), ".1%") for name in ("coverage68", "coverage95"))
    return {
        "method": row.name if row.epochs is None else f"{row.name} ({row.epochs} {unit})",
        "MAE": f"{row.mae:{form}}",
        "68 % interval": f"{low:{form}}–{high:{form}}",
        "σ_NMAD": f"{figures['sigma_nmad']:.4f}",
        "bias": f"{figures['bias_median']:+.4f}",
        "outliers": f"{figures['outlier_fraction_0.15']:.2%}",
        "CRPS": shown(figures.get("crps"), ".4f"),
        "PIT KS": shown(figures.get("pit_ks"), ".4f"),
        "68 / 95 % covers": " / ".join(covers) if figures.get("coverage68") else MISSING,
        "training / s": shown(row.seconds, ",.1f"),
        "CPU / s": shown(row.cpu_seconds, ",.0f"),
        "reaches / s": shown(reached, ",.1f"),
        "spectra/s": shown(row.spectra_per_second, ",.0f"),
        "memory / MB": _megabytes(row.peak_memory),
        "to predict / MB": _megabytes(row.predict_memory),
    }


def extras(value: BenchResult) -> dict[str, Table]:
    """Tables of spectra that have suffered, and of what `best` is asked besides, by headings."""
    tables = stress_tables(value.rows)
    if value.tail:
        frame, caption = _tail(value.tail)
        tables["The tail of best"] = Table(frame, "tail", caption, "Errors under both priors.")
    if others := value.outsiders:
        shares = {**others.flagged, "galaxies of the test rows": others.galaxies}
        frame = pd.DataFrame([{"spectra": k, "flagged": f"{v:.1%}"} for k, v in shares.items()])
        caption = (
            f"Share that best flags as outside its training range; {others.n:,} SIMULATED "
            "spectra of each kind that is no galaxy."
        )
        tables["Spectra that are no galaxies"] = Table(frame, "outsiders", caption, "Flagged.")
    return tables


def stress_tables(rows: Sequence[BenchRow]) -> dict[str, Table]:
    """MAE of every method on perturbed spectra; for those that flag spectra the share flagged."""
    judged = {row.name: row.stress for row in sorted(rows, key=lambda row: row.mae) if row.stress}
    if not judged:
        return {}
    frame = pd.DataFrame([{"method": name, **_stressed(lines)} for name, lines in judged.items()])
    alt = "Mean absolute error of every method on perturbed spectra."
    tables = {"On perturbed spectra": Table(frame, "stress", STRESS_NOTES, alt)}
    flagged = [
        {"method": name, **_outside(lines)}
        for name, lines in judged.items()
        if lines[UNPERTURBED].outside is not None
    ]
    if flagged:
        tables["Flagged on perturbed spectra"] = Table(
            pd.DataFrame(flagged), "stress_flags", FLAG_NOTES, "Share of perturbed spectra flagged."
        )
    return tables


def _stressed(lines: Mapping[str, StressLine]) -> dict[str, str]:
    """MAE and, in brackets, its ratio to the unperturbed one, by the label of the perturbation."""
    first = lines[UNPERTURBED]
    cells = {"n": f"{first.n:,}", first.label: shown(first.mae, ".4f")}
    for name, line in lines.items():
        if name != UNPERTURBED:
            cells[line.label] = f"{shown(line.mae, '.4f')} ({shown(line.ratio, '.3f')})"
    return cells


def _outside(lines: Mapping[str, StressLine]) -> dict[str, str]:
    """Share flagged, marked where the verdict on the file warns, by label."""
    return {
        line.label: shown(line.outside, ".1%") + (" !" if line.unlike else "")
        for line in lines.values()
    }


def _tail(tail: Tail) -> tuple[pd.DataFrame, str]:
    """Mean error and σ per bin of z_spec under both priors, and what the flat one costs."""
    lines = []
    for one, other in zip(tail.flat[TRAINING].bins, tail.flat[FLAT].bins, strict=True):
        lines.append(
            {
                "z_spec": limits_text(*one.limits),
                "galaxies": f"{one.n:,}",
                "training prior, mean error": shown(one.mean_error, "+.4f"),
                "σ": shown(one.std, ".4f"),
                "flat prior, mean error": shown(other.mean_error, "+.4f"),
                "flat σ": shown(other.std, ".4f"),
            }
        )
    before, after = tail.test[TRAINING].figures, tail.test[FLAT].figures
    price = ", ".join(
        f"{name} {before[key]:.4f} becomes {after[key]:.4f}"
        for key, name in (("mae", "MAE"), ("sigma_nmad", "σ_NMAD"))
    )
    caption = (
        "Median of p(z) on a SIMULATED survey with flat redshifts, error z_phot − z_spec. The "
        f"price of the flat prior on the test rows: {price}."
    )
    return pd.DataFrame(lines), caption


def _title(value: BenchResult) -> str:
    mark = "SIMULATED, " if value.simulated else ""
    return f"Bench ({mark}{sum(value.environment['split'].values()):,} galaxies)"


def lead(value: BenchResult) -> str:
    """Rows, survey, machine, versions and days of a bench, in one line."""
    facts, config = value.environment, value.config
    rows = ", ".join(f"{n:,} {part}" for part, n in facts["split"].items())
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    days = sorted(row.finished for row in value.rows if row.finished)
    survey = "" if config["dataset"] else f" A SIMULATED survey, seed {config['seed']}."
    ends = f"{days[0]} to {days[-1]}" if days else "no row done"
    return f"{rows} rows.{survey} {facts['device']['text']}; {versions}; {ends}."


def remarks(value: BenchResult) -> list[str]:
    """What a reader must know of single rows."""
    sentences = _against_dissertation(value.rows)
    sentences += [f"{row.name}: {row.note}." for row in value.rows if row.note]
    recipe = [row.epochs for row in value.rows if row.name == "dissertation"]
    sentences += [f"The dissertation trained 20 epochs; here {n}." for n in recipe if n < 20]
    sentences += [
        f"{row.name} was interrupted and resumed: the CPU time and the memory of its first "
        "part are not known."
        for row in value.rows if row.resumed
    ]  # fmt: skip
    sentences += [f"{name} failed: {why}" for name, why in value.failed.items()]
    missing = [name for name in value.missing if name not in value.failed]
    if missing:
        sentences.append(f"Not done yet: {', '.join(missing)}.")
    return sentences


def _against_dissertation(rows: Sequence[BenchRow]) -> list[str]:
    """What the other networks gain over the dissertation's recipe, a sentence each."""
    published = next((row for row in rows if row.name == "dissertation"), None)
    sentences = []
    for row in rows if published else ():
        if row is published or row.val_curve is None:
            continue
        reached = seconds_to_reach(row, published.val_mae)
        share = f"in 1/{published.seconds / reached:.0f} of that time" if reached else ""
        sentences.append(
            f"{row.name} against the dissertation's recipe: "
            f"{row.mae / published.mae:.3f} of its MAE, in 1/"
            f"{published.seconds / row.seconds:.1f} of its training time; its final "
            f"validation MAE was {f'reached {share}' if share else 'not reached'}."
        )
    return sentences


def _spoken(rows: Sequence[BenchRow]) -> str:
    return "; ".join(f"{row.name} {row.mae:.4f} in {row.seconds:.0f} s" for row in rows) + "."


def _markdown(frame: pd.DataFrame) -> str:
    return markdown_text(frame, right=frame.columns[1:])


def _megabytes(value: float | None) -> str:
    return shown(None if value is None else value / 1e6, ",.0f")
