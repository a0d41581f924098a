"""Small searches that have not begun, for several test files."""

from redshift_core.settings.presets import preset
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import Parameter
from redshift_core.store import TuningFolder, write_json

BASE = preset("fast").with_values({"threads": 1, "batch_size": 64})
SMALL = (
    Parameter("conv_layers", "int", low=0, high=2),
    Parameter("conv_filters", "int", low=2, high=8, step=2, log=True),
    Parameter("conv_kernels", "int", low=2, high=5),
    Parameter("dense_layers", "int", low=1, high=2),
    Parameter("dense_units", "int", low=4, high=16, step=2, log=True),
    Parameter("loss", "choice", choices=("huber", "mse")),
)
TINY = (Parameter("dense_layers", "int", low=0, high=1), *SMALL[4:])  # 2 · (1 + 3) combinations
LONG = {"epochs": 100_000, "trials": 2, "space": TINY}  # a trial that does not end by itself


def search(store, dataset="d", **values) -> TuningFolder:
    """Folder of a search that has not begun."""
    usual = {"base": BASE, "space": SMALL, "epochs": 1}
    config = TuningConfig(dataset=dataset, **{**usual, **values})
    tuning = store.new_tuning("search")
    write_json(tuning.config_path, config.to_dict())
    return tuning


def opened(tuning):
    """The search as a process finds it that begins or resumes it."""
    from redshift_core.learning.tuning.search import Search

    return Search(tuning, tuning.config)


def values_of(search, name) -> dict:
    """Values of a trial, with those that KerasTuner adds."""
    return search.oracle.trials[name].hyperparameters.values
