"""The ONNX file that a training leaves beside its model, for predictions without TensorFlow."""

from __future__ import annotations

from redshift_core.store import RunFolder, Store


def leave_onnx(run: RunFolder, store: Store) -> None:
    """Write ``model.onnx`` of a trained run; what goes wrong is only logged, the model is saved."""
    run.onnx_path.unlink(missing_ok=True)
    if not run.model_path.exists():
        return
    try:
        from redshift_core.learning.onnx_file import write_onnx

        write_onnx(run, run.onnx_path, store)
    except Exception as error:
        print(f"No {run.onnx_path.name} was written: {error}")
