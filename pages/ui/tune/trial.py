"""One trial of a search: its curve, its values and layers, and the way to train it in full."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui.choose import select
from pages.ui.empty import lacks_tensorflow
from pages.ui.text import count, escape
from pages.ui.train.network import show_layers
from pages.ui.tune.charts import show_curve
from redshift_core import jobs
from redshift_core.constants import shown
from redshift_core.errors import InputError
from redshift_core.evaluation import trials
from redshift_core.evaluation.trials import Trial
from redshift_core.settings.layers import layer_table
from redshift_core.store import Store, TuningFolder

AUTO = "auto"  # the newest trial while the search is at work, then the best


def pick_trial(found: list[Trial], active: bool) -> Trial | None:
    """Select box over the trials; the address keeps the choice (``?trial=03``)."""
    begun = [one for one in found if one.epochs] or found  # one without an epoch has no curve yet
    newest = begun[-1] if begun else None
    usual = newest if active else trials.best(found) or newest
    texts = {
        AUTO: "The newest" if active else "The best",
        **{t.trial: _text(t) for t in found},
    }
    wanted = st.query_params.get("trial", AUTO)
    st.session_state["pick_trial"] = wanted if wanted in texts else AUTO
    st.selectbox(
        "Trial", list(texts), format_func=texts.get, key="pick_trial",
        on_change=lambda: select(trial=st.session_state["pick_trial"]),
    )  # fmt: skip
    return next((one for one in found if one.trial == wanted), usual)


def show_trial_curve(tuning: TuningFolder, trial: Trial | None, found: list[Trial]) -> None:
    """Learning curve of a trial beside the best one's."""
    if trial is None:
        show_curve(None, None)
        return
    best = trials.best(found)
    other = best if best is not None and best.trial != trial.trial else None
    show_curve(
        trials.history(tuning, trial.trial), trials.history(tuning, other.trial) if other else None
    )


def show_trial(tuning: TuningFolder, trial: Trial, found: list[Trial], title: str) -> None:
    """What a trial is and came to, its layers, and the buttons that train it in full."""
    best = trials.best(found)
    crown = " (the best)" if best and best.trial == trial.trial else ""
    st.subheader(f"Trial {trial.trial}{crown}")
    if trial.message:
        st.error(escape(trial.message), icon=":material/error:")
    st.markdown(
        f"{_score(trial, title)}, {count(trial.n_parameters)} parameters, {trial.epochs} "
        f"epoch{'' if trial.epochs == 1 else 's'}. {_values(trial)}."
    )
    for sentence in trial.repaired:
        st.caption(f":material/build: Repaired: {escape(sentence)}")
    try:
        config = trials.run_config(tuning, trial.trial)
        rows = layer_table(config.model, config.scaler.name)
    except InputError as error:
        st.caption(escape(str(error)))
        return
    lacking = lacks_tensorflow("train")
    with st.container(horizontal=True):
        if best is not None and st.button(
            "Train the best", key="train_best", type="primary", icon=":material/model_training:",
            help=f"Starts trial {best.trial} at once: every training row, the starting point's "
            "epochs.",
            disabled=lacking,
        ):  # fmt: skip
            _train(tuning, best)
        if st.button(
            "Train this", key="train_trial", icon=":material/edit_note:",
            help="Opens the Train page with this trial's settings, to change or start.",
        ):  # fmt: skip
            st.session_state["run_name"] = f"Trial {trial.trial} of {tuning.name}"[:80]
            st.switch_page(
                "pages/train.py",
                query_params={
                    "view": "New run", "dataset": config.dataset,
                    "from_trial": f"{tuning.id}:{trial.trial}",
                },
            )  # fmt: skip
    with st.expander("Layer table of this trial"):
        show_layers(rows, trial.n_parameters, f"layers_{tuning.id}_{trial.trial}")


def _train(tuning: TuningFolder, trial: Trial) -> None:
    """Start the run that a trial stands for, and turn to it."""
    try:
        run = jobs.start_training(
            Store(), trials.run_config(tuning, trial.trial), f"Trial {trial.trial} of {tuning.name}"
        )
    except InputError as error:
        st.error(escape(str(error)))
        return
    select(run=run.id)
    st.switch_page("pages/train.py", query_params={"view": "Runs", "run": run.id})


def _score(trial: Trial, title: str) -> str:
    if trial.score is None and trial.val_mae is not None:
        return f"Validation MAE so far **{trial.val_mae:.5f}**"
    return f"{title} **{shown(trial.score, '.5f')}**"


def _text(trial: Trial) -> str:
    score = f" · {trial.score:.5f}" if trial.score is not None else ""
    return f"{trial.trial} · {trial.state}{score}"


def _values(trial: Trial) -> str:
    """Values of a trial in one line, those of the layers together."""
    grouped: dict[str, list[Any]] = {}
    for name, value in trials.active_values(trial).items():
        stem, _, number = name.rpartition("_")
        grouped.setdefault(stem if number.isdigit() else name, []).append(value)
    return ", ".join(
        f"{name.replace('_', ' ')} {' · '.join(_number(value) for value in values)}"
        for name, values in grouped.items()
    ).capitalize()


def _number(value: Any) -> str:
    return format(value, ".4g") if isinstance(value, float) else escape(str(value))
