"""A run as an ONNX file: equal to Keras for every architecture, scaler, head and activation."""

import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from redshift_core import data, pdf
from redshift_core.constants import wavelength
from redshift_core.data.scaling import fit_scaler
from redshift_core.errors import InputError
from redshift_core.prediction import reader
from redshift_core.settings import names as settings
from redshift_core.settings.run import ModelConfig, ScalerConfig
from redshift_core.store import CHECKOUT, write_json
from tests.test_old_store import RUNS, unpacked
from tests.test_prediction import make_run

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

DOCUMENT = (CHECKOUT / "docs" / "use-elsewhere.md").read_text(encoding="utf-8")
SMALL = {"conv_filters": (8, 8), "conv_kernels": (5, 3), "dense_units": (32, 16)}
CASES = {
    **{f"{one}, whitened": ({"architecture": one}, "whitened") for one in settings.ARCHITECTURES},
    **{f"mlp, {one}": ({"architecture": "mlp"}, one) for one in settings.SCALERS},
    **{
        f"mixed, {head}": ({"architecture": "mixed", "head": head, "members": 3}, "shape")
        for head in settings.HEADS
    },
    **{
        f"{pooling}, {padding}": ({"pooling": pooling, "padding": padding}, "minmax")
        for pooling in settings.POOLINGS
        for padding in settings.PADDINGS
    },
    "strides": ({"conv_strides": (4, 2), "padding": "same", "pool_size": 3}, "minmax"),
    **{
        one: ({"conv_activation": one, "dense_activation": one, "dropout": 0.5}, "standard")
        for one in settings.ACTIVATIONS
    },
}


@pytest.fixture(scope="module")
def flux(survey_file):
    """Spectra of the demo survey (SIMULATED), (600, 186) float32."""
    return next(iter(data.read_blocks(survey_file))).flux


def session(file):
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("values", "scaler"), CASES.values(), ids=CASES)
def test_the_graph_gives_what_keras_gives(values, scaler, flux):
    from redshift_core.learning.models import PDF, build_model, keras
    from redshift_core.learning.onnx_graph import onnx_model

    keras.utils.set_random_seed(1)
    config = ModelConfig(**SMALL, **values)
    model = build_model(config, fit_scaler(ScalerConfig(scaler), flux[:300], np.arange(300)))
    rng = np.random.default_rng(1)  # biases begin at 0, where they would hide mistakes
    for layer in model.layers[2:]:
        layer.set_weights([w + rng.normal(0.0, 0.02, w.shape) for w in layer.get_weights()])
    if config.head == "pdf":
        model.get_layer(PDF).temperature.assign(0.8)
    spectra = np.concatenate([flux[::4], flux[::9] * 3, -flux[::9]])  # other than the scaler saw
    found = session(onnx_model(model, config)[0].SerializeToString()).run(None, {"flux": spectra})[
        0
    ]
    expected = model(spectra).numpy()
    assert found.shape == expected.shape
    close = 1e-3 if scaler == "whitened" else 1e-4  # whitening divides by small numbers: both err
    np.testing.assert_allclose(found, expected, atol=close)


@pytest.fixture
def pdf_run(store, dataset):
    """An untrained run with p(z) that remembers its prior."""
    made = make_run(store, dataset, head="pdf", loss="cross_entropy")
    prior = pdf.training_prior(np.asarray(data.open_dataset(dataset).z_spec))
    np.savez(made.prior_path, training=prior)
    return made


def test_the_command_writes_a_checked_file_that_says_what_it_is(here, pdf_run, flux, tmp_path):
    from redshift_core.learning.models import load_model

    out = tmp_path / "run.onnx"
    code, printed, err = here("export", pdf_run.id, "--onnx", "--out", out, "--json")
    assert code == 0, err
    said = json.loads(printed)
    assert said["spectra"] == 600
    assert 0 < said["difference"] < 1e-4
    assert said["simulated"] is True
    opened = session(out)
    p = opened.run(["p"], {"flux": flux[:50]})[0]
    np.testing.assert_allclose(p, load_model(pdf_run.model_path)(flux[:50]), atol=1e-6)
    about = opened.get_modelmeta().custom_metadata_map
    assert (about["run"], about["SIMULATED spectra"]) == (pdf_run.id, "true")
    np.testing.assert_allclose(json.loads(about["wavelength in nm"]), wavelength(), atol=1e-4)
    np.testing.assert_allclose(json.loads(about["redshift bin edges"]), pdf.EDGES, atol=1e-6)
    assert len(json.loads(about["prior"])["training"]) == 240
    assert json.loads(about["checked against Keras"])["difference"] == said["difference"]
    table = DOCUMENT.partition("## What the file says of itself")[2]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    assert {key for line in lines for key in re.findall("`(.*?)`", line.split("|")[1])} == {*about}


def write(run, out, store):
    from redshift_core.learning.onnx_file import write_onnx

    return write_onnx(run, out, store)


def test_a_file_that_differs_from_keras_is_not_written(store, dataset, tmp_path):
    from redshift_core.learning.models import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        run = make_run(store, dataset)
    finally:
        keras.config.set_dtype_policy("float32")
    with pytest.raises(InputError, match=r"apart from Keras's, .* so no file was written"):
        write(run, tmp_path / "run.onnx", store)
    assert not list(tmp_path.glob("*.onnx"))


def test_a_model_of_other_settings_is_refused_in_one_sentence(store, dataset, tmp_path):
    run = make_run(store, dataset)
    deeper = run.config.with_values({"dense_units": (8, 8, 8, 8, 8, 8)})
    write_json(run.config_path, deeper.to_dict())
    with pytest.raises(InputError, match=r"does not fit its config\.json"):
        write(run, tmp_path / "run.onnx", store)


@pytest.mark.parametrize("kind", ["regression", "pdf"])
def test_runs_of_an_old_store_leave_too_also_without_their_dataset(kind, tmp_path):
    old = unpacked(tmp_path)
    run = old.store.run(RUNS[kind])
    old.store.dataset(run.config.dataset).delete()
    assert write(run, tmp_path / "run.onnx", old.store)["spectra"] == 1_000


def test_without_a_name_the_zip_is_asked_for(here, pdf_run):
    code, _, err = here("export", pdf_run.id)
    assert code == 2
    assert "name it: --out run.zip" in err
    code, _, err = here("export", pdf_run.id, "--onnx", "--out", "run.zip")
    assert code == 2
    assert "does not end in .onnx" in err


@pytest.mark.parametrize("head", settings.HEADS)
def test_the_documented_lines_give_the_redshifts_of_the_run(
    head, store, dataset, flux, tmp_path, monkeypatch
):
    from redshift_core.learning.models import load_model
    from redshift_core.prediction import predict_redshift

    loss = settings.LOSSES_OF[head][0]
    run = make_run(store, dataset, head=head, loss=loss)
    write(run, tmp_path / "run.onnx", store)
    np.save(tmp_path / "flux.npy", flux[:100])
    monkeypatch.chdir(tmp_path)
    (lines,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    names: dict = {}
    exec(lines, names)
    expected = predict_redshift(load_model(run.model_path), flux[:100])
    np.testing.assert_allclose(names["z_phot"], expected, atol=1e-4)


@pytest.fixture
def light_run(store, dataset, monkeypatch):
    """An untrained run with its ONNX file, in a process that seems not to know TensorFlow."""
    made = make_run(store, dataset)
    write(made, made.onnx_path, store)
    monkeypatch.setattr(reader, "tensorflow_is_loaded", lambda: False)
    return made


def test_a_run_is_read_without_tensorflow_where_its_onnx_file_fits(light_run, flux, tmp_path):
    script = """
import sys
import numpy as np
from pathlib import Path
from redshift_core.prediction.reader import open_coverage, open_reader
from redshift_core.store import RunFolder
sys.modules["keras"] = sys.modules["redshift_core.learning"] = None  # an import of them fails
run = RunFolder(Path(sys.argv[1]))
columns, flags, _ = open_reader(run, open_coverage(run)).read(np.load(sys.argv[2]))
np.savez(sys.argv[3], **columns, **flags)
import redshift_core.jobs.worker, redshift_core.prediction.jobs
print([name for name in ("tensorflow", "pandas", "scipy", "sklearn") if name in sys.modules])
"""
    spectra = np.concatenate([flux[:100], np.zeros((1, 186)), np.full((1, 186), np.nan)])
    np.save(tmp_path / "flux.npy", spectra)
    files = [light_run.path, tmp_path / "flux.npy", tmp_path / "read.npz"]
    done = subprocess.run(
        [sys.executable, "-c", script, *files], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"  # all that takes long to import
    found = np.load(tmp_path / "read.npz")
    from redshift_core.learning.models import load_model
    from redshift_core.prediction import predict_redshift

    expected = predict_redshift(load_model(light_run.model_path), spectra)
    np.testing.assert_allclose(found["z_phot"], expected, atol=1e-4)
    assert found["bad_flux"].tolist() == [False] * 100 + [True] * 2


def test_an_onnx_file_of_another_model_or_a_damaged_one_is_left_alone(light_run, capsys):
    assert reader._light_predictor(light_run) is not None
    with zipfile.ZipFile(light_run.model_path, "a") as model:
        model.comment = b"trained on"
    assert reader._light_predictor(light_run) is None
    assert "made of another model.keras" in capsys.readouterr().out
    light_run.onnx_path.write_bytes(b"no network")
    assert reader._light_predictor(light_run) is None
    assert "model.onnx is not used, but the model beside it:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "place", ["weights.bin", "deeper/../weights.bin", "../weights.bin", "", "*/_ORT_MEM_ADDR_/*"]
)
def test_a_file_that_takes_its_numbers_from_elsewhere_is_left_alone(
    place, light_run, monkeypatch, capsys
):
    """Beside it, below, above, by its whole path, and in the memory of the process."""
    here = light_run.path / "here"
    (here / "deeper").mkdir(parents=True)
    monkeypatch.chdir(here)
    file = onnx.load(light_run.onnx_path)
    tensor = max(file.graph.initializer, key=lambda one: len(one.raw_data))
    numbers = np.frombuffer(tensor.raw_data, np.float32).copy()
    for folder in (here, light_run.path):
        numbers.tofile(folder / "weights.bin")
    start = numbers.ctypes.data if "MEM" in place else 0
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    whole = str(here / "weights.bin")
    said = {"location": place or whole, "offset": start, "length": numbers.nbytes}
    for key, value in said.items():
        tensor.external_data.add(key=key, value=str(value))
    light_run.onnx_path.write_bytes(file.SerializeToString())
    assert reader._light_predictor(light_run) is None
    assert "model.onnx is not used" in capsys.readouterr().out


def test_a_file_that_gives_no_redshifts_is_left_alone(light_run, capsys):
    file = onnx.load(light_run.onnx_path)
    file.graph.node[-1].input[0] = "flux"  # the spectrum itself
    file.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 186
    light_run.onnx_path.write_bytes(file.SerializeToString())
    assert reader._light_predictor(light_run) is None
    assert "model.onnx is not used" in capsys.readouterr().out


def test_a_training_does_not_fail_for_want_of_an_onnx_file(store, dataset, monkeypatch, capsys):
    from redshift_core.learning import onnx_file
    from redshift_core.learning.training.portable import leave_onnx

    run = make_run(store, dataset)
    leave_onnx(run, store)
    assert run.onnx_path.exists()
    monkeypatch.setattr(onnx_file, "TOLERANCE", -1.0)
    leave_onnx(run, store)
    assert not run.onnx_path.exists()
    assert "No model.onnx was written: As ONNX," in capsys.readouterr().out
