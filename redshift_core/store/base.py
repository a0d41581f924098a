"""The base network: a run that comes with the package, learned on SIMULATED galaxies alone.

It stands in ``resources/base`` as a ZIP that `export_run` packed, named by the id of the run, and
is never written to; ``scripts/make_base.py`` makes it. The ZIP is packed once more by xz, since
``model.keras`` and ``model.onnx`` hold the same weights, which xz keeps once. Whoever asks a store
for the run ``base`` gets a copy, which is taken in the first time; from then on that is a run like
any imported one, and what it says of datasets is kept beside it.
"""

from __future__ import annotations

import contextlib
import functools
import lzma
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from redshift_core.errors import InputError
from redshift_core.store import read_only
from redshift_core.store.files import PACKAGE, atomic, read_json
from redshift_core.store.folders import RunFolder

if TYPE_CHECKING:
    from redshift_core.store.store import Store

BASE = "base"  # name of the run
FOLDER = PACKAGE / "resources" / "base"
ENDING = ".zip.xz"
CARD = "measured.json"  # what was measured of it, beside the ZIP
MARK = "packaged"  # what the information of its copy in a store holds
ADAPT = (
    f"Learn on from it with redshifts of your own (`redshift-lab train DATASET --from {BASE}`), or "
    f"fit its intervals anew (`redshift-lab predict {BASE} FILE --recalibrate DATASET`)."
)


@functools.cache
def base_id() -> str | None:
    """Id of the base network of this version; None where the package has none."""
    return next((path.name.removesuffix(ENDING) for path in FOLDER.glob(f"*{ENDING}")), None)


def is_base(run: RunFolder) -> bool:
    """Whether a run is the base network, of this version or of an earlier one."""
    return run.id == base_id() or bool(run.info.get(MARK))


def is_complete(store: Store) -> bool:
    """Whether a store holds the base network of this version, with its ONNX file."""
    return RunFolder(store.root / "runs" / str(base_id())).onnx_path.exists()


def base_run(store: Store) -> RunFolder:
    """The base network in a store, taken in where it is not there yet.

    A copy that an earlier version took in without ``model.onnx`` gets that file.

    Raises
    ------
    InputError
        Where the package has none, or the copy in the store is damaged.
    """
    name = base_id()
    if name is None:
        raise InputError(f"This installation has no base network in {FOLDER}; install it again.")
    run = RunFolder(store.root / "runs" / name)
    if not is_complete(store):
        read_only.refuse_writing()
    with filelock.FileLock(store.locks / "base.lock"):
        if not run.path.exists():
            from redshift_core.store.archive import import_run

            with _packed(name) as path:
                run, _ = import_run(store, path)
            run.update_info(**{MARK: True})
        elif not run.onnx_path.exists():
            with (
                _packed(name) as path,
                zipfile.ZipFile(path) as files,
                atomic(run.onnx_path) as part,
            ):
                part.write_bytes(files.read(run.onnx_path.name))
    return store.run(name, take_in=False)


@contextlib.contextmanager
def _packed(name: str) -> Iterator[Path]:
    """The ZIP of the base network, for a while."""
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / f"{name}.zip"
        with lzma.open(FOLDER / f"{name}{ENDING}") as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield path


def named_base(store: Store) -> RunFolder:
    """What the name ``base`` means in a store: the base network, unless a user's run is called so.

    Raises
    ------
    InputError
        Where both could be meant; the sentence names their ids.
    """
    own = [run for run in store.runs() if run.name == BASE and not is_base(run)]
    if not own:
        return base_run(store)
    ids = ", ".join(run.id for run in own)
    raise InputError(
        f"{BASE!r} may be your own {ids} or the base network that comes with Redshift Lab, "
        f"{base_id()}; give the id, or rename yours."
    )


def card() -> dict[str, Any]:
    """What ``scripts/make_base.py`` measured; empty where the package has no base network."""
    return read_json(FOLDER / CARD)


def about_base() -> str:
    """What the base network has learned on and what was measured of it, in plain sentences."""
    from redshift_core.reference.real_galaxies import RealAnswers

    known = card()
    if not known:
        return ""
    test, real = known["test"], RealAnswers.from_dict(known["real"])
    return (
        f"The base network comes with Redshift Lab. It has learned on {known['trained_on']:,} "
        f"SIMULATED galaxies and on no real one. On {test['n']:,} fresh SIMULATED galaxies its "
        f"mean absolute error is {test['mae']:.4f}, and its 68 % intervals hold "
        f"{test['coverage68']:.1%} of the redshifts. {real.sentence()} Three galaxies can show a "
        "failure; how well it does on a real survey has not been measured."
    )
