"""Commands about a trained run's results: evaluate, predict, explain."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from redshift_core import jobs
from redshift_core.cli import catalogue
from redshift_core.cli.datasets import (
    BasesOption,
    ColumnsOption,
    SamplingOption,
    columns_request,
    existing_file,
)
from redshift_core.cli.follow import run_job
from redshift_core.cli.output import JsonOption, emit, flagged_text, say, say_remarks, table
from redshift_core.cli.training import RunArgument
from redshift_core.constants import counted, shown
from redshift_core.errors import InputError
from redshift_core.settings.names import FORMAT_TITLES, USUAL_ENDINGS, in_words
from redshift_core.store import DatasetFolder, RunFolder, Store, read_json
from redshift_core.store.base import about_base, is_base
from redshift_core.store.records import Bin, Evaluation

PointOption = Annotated[
    str | None, typer.Option(help="Redshift read off p(z): median, mean or mode.")
]
PriorOption = Annotated[
    str | None,
    typer.Option(
        help="Prior of p(z): training, flat, or a text table of your n(z) with the columns z, n "
        "or zlow, zhigh, n."
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes for a catalogue; without it one for each core, one fewer where a "
        "training is at work.",
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="A Dask scheduler whose workers predict the catalogue, such as tcp://HOST:8786.",
    ),
]
ShareOption = Annotated[
    float | None,
    typer.Option(help="How far from the training prior (0) to that one (1).", min=0, max=1),
]


def evaluate(
    run: RunArgument,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Another dataset, whose usable rows count, but those of galaxies that the run has "
            "learned from; else the run's test rows."
        ),
    ] = None,
    point: PointOption = None,
    prior: PriorOption = None,
    share: ShareOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a run: metrics overall and per redshift bin, on rows it has not seen.

    With another point or prior the judgement is printed, and the run's own one is stored.
    """
    store = Store()
    folder = store.run(run)
    say_brittle(folder)
    asked = estimate_request(point, prior, share)
    chosen = judged_dataset(store, folder, dataset)
    job = jobs.start(store, "evaluate", run=folder.id, dataset=chosen.id, **asked)
    result = run_job(job, as_json)
    if result:
        metrics = Evaluation.from_dict(result["metrics"], job.result_path)
        real = "" if asked else f"\n\n{real_galaxies_text(folder, chosen.id)}"
        emit(result["metrics"], lambda: metrics_text(metrics) + real, as_json)
        say_remarks(metrics.remarks or ())


def predict(
    run: RunArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help=f"Spectra: {FORMAT_TITLES}, or a folder of parts: a catalogue."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help=f"Where to: {in_words(USUAL_ENDINGS)}; without it FILE's name with "
            "-redshifts.csv, here. Of a catalogue a folder, with a Parquet file for each part."
        ),
    ] = None,
    columns: ColumnsOption = None,
    bases: BasesOption = None,
    sampling: SamplingOption = None,
    point: PointOption = None,
    prior: PriorOption = None,
    share: ShareOption = None,
    pdf: Annotated[
        Path | None,
        typer.Option(help="Also write every p(z): .npy, float16, 240 bins of 0–0.6, in 1/z."),
    ] = None,
    recalibrate: Annotated[
        str | None,
        typer.Option(
            metavar="LABELLED",
            help="Fit the intervals anew, without training, to galaxies with known redshifts: a "
            "dataset's id or name, or a file; FILE itself where it has redshifts.",
        ),
    ] = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the spectra of a file redshifts, with flags for those the run cannot know."""
    from redshift_core.store.tables import check_out

    store, parts = Store(), catalogue.is_catalogue(file.expanduser(), out)
    folder = store.run(run)
    source = file.expanduser().absolute() if parts else existing_file(file, folder=True)
    target = (out or Path(f"{source.name.partition('.')[0]}-redshifts.csv")).expanduser().absolute()
    if not parts:
        catalogue.refuse_options(workers, scheduler)
        check_out(target, source)
    request: dict[str, Any] = {"run": folder.id, "file": str(source), "out": str(target)}
    request |= estimate_request(point, prior, share)
    request |= columns_request(columns, bases, sampling)
    if recalibrate:
        request |= _labels(store, recalibrate, request)
    if parts:
        catalogue.refuse_pdf(pdf)
        say_brittle(folder)
        say_worse(folder)
        catalogue.predict_catalogue(store, request, workers, scheduler, as_json)
        return
    if pdf:
        request["pdf"] = str(check_out(pdf, source, (".npy",)))
    job = jobs.start(store, "predict", **request)
    say_brittle(folder)  # while the worker begins
    say_worse(folder)
    result = run_job(job, as_json)
    if result:
        value = {key: result[key] for key in ("rows", "flagged", "source_ids", "verdict", "out")}
        said = f"{counted(value['rows'], 'redshift')} in {value['out']}; flagged: "
        mark = " The run was trained on SIMULATED spectra." if result["simulated"] else ""
        said += f"{flagged_text(value['flagged'])}.\n"
        said += f"{ids}\n" if (ids := value["source_ids"]["text"]) else ""
        said += f"{value['verdict']['text']}{mark}"
        if found := result.get("recalibration"):
            from redshift_core.evaluation.recalibration import recalibration_text

            value["recalibration"] = found
            said += f"\n{recalibration_text(found)}"
        emit(value, said + (f"\n{about_base()}" if is_base(folder) else ""), as_json)


def _labels(store: Store, labelled: str, request: dict[str, Any]) -> dict[str, Any]:
    """What ``--recalibrate`` adds to the request: a file, or a dataset where there is none."""
    if not Path(labelled).expanduser().exists():
        try:
            return {"dataset": store.dataset(labelled).id}
        except InputError as error:
            raise InputError(
                f"--recalibrate {labelled!r} is no file, and no dataset: {error}"
            ) from None
    path = existing_file(Path(labelled), folder=True)
    own = "columns" in request and path.samefile(request["file"])
    return {"labels": str(path), **({"label_columns": request["columns"]} if own else {})}


def judged_dataset(store: Store, run: RunFolder, name: str | None) -> DatasetFolder:
    """The dataset asked for, else the run's own; InputError where the base network has none."""
    if name is None and is_base(run):
        raise InputError(
            f"The galaxies that {run.id}, the base network, has learned from are not in the store, "
            "so it has no test rows; name a dataset with --dataset."
        )
    own = run.config.dataset
    if name is None and not any(folder.id == own for folder, _ in store.listed("datasets")):
        raise InputError(
            f"The dataset {own!r} that {run.id} was trained on is not in the store, so its test "
            "rows are not there; name another one with --dataset."
        )
    return store.dataset(name or own)


def say_brittle(run: RunFolder) -> None:
    """Warn of a run whose scaler an earlier version fitted."""
    from redshift_core.data.scaling import brittle_note

    if note := brittle_note(run.scaler_path):
        say(note)


def say_worse(run: RunFolder) -> None:
    """Warn of a run that is worse than giving every galaxy the same redshift."""
    from redshift_core.evaluation.honesty import gravest, remarks_of_run

    say_remarks(gravest(remarks_of_run(run)))


def estimate_request(point: str | None, prior: str | None, share: float | None) -> dict[str, Any]:
    """What a job is asked for of p(z); nothing where no option was given."""
    if (point, prior, share) == (None, None, None):
        return {}
    from redshift_core.data.nz import read_prior
    from redshift_core.pdf import FLAT, TRAINING, USUAL, Estimate

    if share is not None and prior in (None, TRAINING):
        raise InputError(
            "--share goes some way from the training prior to another one; name that with --prior."
        )
    name = (prior or TRAINING) if prior in (None, FLAT, TRAINING) else "own"
    estimate = Estimate(point or USUAL.point, name, USUAL.share if share is None else share)
    if not estimate.own_prior:
        return estimate.request()
    path = Path(prior or "").expanduser().absolute()
    read_prior(path)  # a bad table is refused before a job starts
    return estimate.request(path)


def explain(
    run: RunArgument,
    row: Annotated[int, typer.Option(min=0, help="Row of the dataset: which galaxy.")],
    dataset: Annotated[
        str | None, typer.Option(help="Dataset of the galaxy; else that of the run.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write the figure (.html) or the numbers (.json).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which pixels of one spectrum mattered to its redshift, and how much."""
    from redshift_core.store.tables import check_out

    store = Store()
    folder = store.run(run)
    if not folder.model_path.exists():
        raise InputError(f"Run {folder.id} has saved no model yet; train or resume it first.")
    chosen = judged_dataset(store, folder, dataset)
    target = check_out(out, suffixes=(".html", ".json")) if out else None
    job = jobs.start(store, "explain", run=folder.id, dataset=chosen.id, row=row)
    result = run_job(job, as_json)
    if not result:
        return
    if target:
        from redshift_core.reports.run import write_explanation

        write_explanation(result, target)
    mark = ["SIMULATED spectrum."] if result["simulated"] else []
    written = [f"Written to {target}."] if target else []
    emit(result, "\n".join([*mark, *result["sentences"], *written]), as_json)


def metrics_text(metrics: Evaluation) -> str:
    """Headline figures and the table per bin, beside the published one."""
    from redshift_core import reference
    from redshift_core.evaluation.bins import limits_text

    mark = " (SIMULATED)" if metrics.simulated else ""
    what = "test rows" if metrics.rows == "test" else "every usable row"
    lines = [f"{metrics.dataset}{mark}, {what}{_estimate_text(metrics)}"]
    lines += table(("METRIC", "VALUE", "68 % INTERVAL"), _headlines(metrics)).splitlines()
    if said := metrics.verdict:
        lines.append(said["text"])
    if comparison := metrics.incumbent:
        lines.append(comparison["text"])
    if metrics.scaler_saw_test_rows:
        lines.append("The scaler was fitted on these rows too, as in the dissertation's listing.")
    published = {row.z_low: row for row in reference.table_3().itertuples()}
    rows = []
    for line in metrics.bins:
        known = published.get(line.z_low)
        rows.append(
            (
                limits_text(*line.limits), line.n,
                shown(line.percent, ".2f"), *_error_and_scatter(line),
                shown(known and known.mean_error), shown(known and known.std),
            )
        )  # fmt: skip
    headers = ("Z BIN", "N", "%", "MEAN ERROR", "STD", "SEM", "PUBLISHED MEAN", "PUBLISHED STD")
    return "\n".join([*lines, "", table(headers, rows)])


def real_galaxies_text(run: RunFolder, dataset: str) -> str:
    """One line on the three real galaxies, and what they can show."""
    from redshift_core.reference.real_galaxies import CAVEAT, RealAnswers

    answers = RealAnswers.from_dict(read_json(run.real_galaxies_path(dataset)))
    return f"{answers.sentence()} {CAVEAT}"


def _headlines(metrics: Evaluation) -> list[tuple[str, str, str]]:
    """Metric, value, interval: a line each, then the numbers of galaxies and of flagged rows."""
    from redshift_core.evaluation.density_metrics import FIGURES
    from redshift_core.evaluation.metrics import METRICS

    values = metrics.to_dict()
    lines = [(one.title, one.shown(values), one.interval_text(values)) for one in METRICS.values()]
    pdf = metrics.pdf or {}
    lines += [
        (one.title, one.shown(pdf), one.interval_text(pdf))
        for one in FIGURES.values()
        if one.value(pdf) is not None
    ]
    lines.append(("Galaxies", f"{metrics.n:,}", ""))
    if n_flagged := metrics.n_flagged:
        lines.append(("Flagged rows, not counted", f"{n_flagged:,}", ""))
    return lines


def _error_and_scatter(line: Bin) -> tuple[str, str, str]:
    """Mean error, σ and standard error of a bin, with the digits that their errors mean.

    The standard error of σ is σ / √2n.
    """
    from redshift_core.evaluation.intervals import FEWEST, fitting

    if line.n < FEWEST or line.sem is None:
        return shown(line.mean_error), shown(None), shown(None)
    form, form_std = (
        fitting(".4f", (-half, half)) for half in (line.sem, line.std / math.sqrt(2 * line.n))
    )
    return shown(line.mean_error, form), shown(line.std, form_std), shown(line.sem, form)


def _estimate_text(metrics: Evaluation) -> str:
    from redshift_core.pdf import Estimate

    text = metrics.estimate
    return f"; {Estimate.parse(text).describe()}" if text else ""
