"""Command about the information limit of the simulated survey: limit."""

from __future__ import annotations

from typing import Annotated

import typer

from redshift_core import jobs
from redshift_core.cli.follow import check, follow
from redshift_core.cli.output import JsonOption, emit, say
from redshift_core.cli.rules import name_option
from redshift_core.cli.training import DetachOption, parse_settings
from redshift_core.errors import InputError
from redshift_core.settings.limit import LimitConfig
from redshift_core.settings.presets import PRESETS, preset
from redshift_core.store import LimitFolder, Store, read_json

USUAL = LimitConfig()


def limit(
    preset_name: Annotated[
        str, typer.Option("--preset", help=f"Recipe: {' or '.join(PRESETS)}.")
    ] = USUAL.base.preset,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; may be repeated."),
    ] = None,
    sizes: Annotated[
        str, typer.Option(help="Training galaxies of each training, by commas; 2e6 is 2,000,000.")
    ] = ",".join(map(str, USUAL.sizes)),
    n_test: Annotated[int, typer.Option(help="Galaxies of the test survey.")] = USUAL.n_test,
    repeats: Annotated[
        int, typer.Option(help="Trainings of each size, from other galaxies and another seed.")
    ] = USUAL.repeats,
    seed: Annotated[
        int, typer.Option(help="Seed of the test survey; the following ones train.")
    ] = USUAL.seed,
    minutes: Annotated[
        float, typer.Option(help="Time for surveys and trainings, by speeds measured at the start.")
    ] = USUAL.minutes,
    passes: Annotated[
        int, typer.Option(help="Spectra shown at every size, in place of --minutes.")
    ] = USUAL.passes,
    check_passes: Annotated[
        bool, typer.Option(help="Train one large size again with half the epochs.")
    ] = USUAL.check_passes,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="Run to quote against the limit; may be repeated."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="LIMIT", help="Go on with a study, or quote further runs against it."),
    ] = None,
    name: Annotated[str, name_option("Name of the study.")] = "",
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train on ever more SIMULATED galaxies and extrapolate the error to infinite data.

    Each size has a survey of its own, which is removed when its training is done. Every size is
    written when it is done; Ctrl-C stops the study, --resume goes on where it stopped.
    """
    store = Store()
    runs = [store.run(one).id for one in against or []]
    if resume:
        study = jobs.resume_limit(store.limit(resume), runs)
    else:
        values = parse_settings(settings)
        if "seed" in values:
            raise InputError("Every training has a seed of its own, from --seed on; give that.")
        config = LimitConfig(
            base=preset(preset_name).with_values(values),
            sizes=sizes,  # type: ignore[arg-type] - text, as --set takes it
            n_test=n_test,
            repeats=repeats,
            seed=seed,
            minutes=minutes,
            passes=passes,
            check_passes=check_passes,
        )
        study = jobs.start_limit(store, config, runs, name)
        say(f"Study {study.id} (SIMULATED).")
    _finish(study, detach, as_json)


def _finish(study: LimitFolder, detach: bool, as_json: bool) -> None:
    """Follow a study to its end and print its result, and fail where it failed."""
    status = jobs.status(study) if detach else follow(study)
    found = {} if status.active else read_json(study.limit_path)
    value = {"limit": study.id, "state": status.state, "simulated": True}
    value |= {key: found.get(key) for key in ("rows", "limits", "recipes")}

    def text() -> str:
        said = f"{study.id} {status.state}."
        if not found:
            return said
        files = f"{said} The result stands in {study.table_path}, its figure in "
        return f"{study.table_path.read_text(encoding='utf-8')}\n{files}{study.figure_path.name}."

    emit(value, text, as_json)
    check(study, status)
