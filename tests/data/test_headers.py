"""Every form of header, and of none, that a table of spectra may have."""

import numpy as np
import pytest

from redshift_core.data import parse_columns, preview, read_blocks, suggest
from redshift_core.errors import InputError
from tests.data.tables import IDS, PIXELS, redshifts, rows, spectra, write

FLUX = spectra()
Z = redshifts()
N = len(Z)


def read(path, columns=None):
    """The whole of a small file."""
    (found,) = read_blocks(path, columns)
    return found


HEADERS = {
    "the dissertation's": ["z", *PIXELS],
    "redshift": ["redshift", *PIXELS],
    "z_spec": ["z_spec", *PIXELS],
    "zspec": ["zspec", *PIXELS],
    "upper case": ["Z", *(f"FLUX_{k}" for k in range(186))],
    "flux0": ["z", *(f"flux{k}" for k in range(186))],
    "f_0": ["z", *(f"f_{k}" for k in range(186))],
    "from 1": ["z", *(f"flux_{k}" for k in range(1, 187))],
    "padded": ["z", *(f"flux_{k:03d}" for k in range(186))],
    "brackets": ["z", *(f"flux[{k}]" for k in range(186))],
    "blanks": [" z ", *(f" Flux {k} " for k in range(186))],
    "bare numbers": ["z", *(str(k) for k in range(186))],
    "units": ["z []", *(f"flux_{k} (e-/s)" for k in range(186))],
    "units without a blank": ["z[none]", *(f"flux_{k}[10^-17 erg/s]" for k in range(186))],
    "bp and rp": ["z", *(f"bp_{k}" for k in range(80)), *(f"rp_{k}" for k in range(106))],
    "bp and rp by their pixel": [
        "z", *(f"bp_flux_{k}" for k in range(34, 114)), *(f"rp_flux_{k}" for k in range(4, 110)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_reasonable_header_is_recognised(tmp_path, header):
    found = read(write(tmp_path / "a.csv", header, rows(Z, FLUX)))
    assert found.flux.tolist() == FLUX.astype(np.float32).tolist()
    assert found.z_spec.tolist() == Z.tolist()
    assert found.row.tolist() == found.source_id.tolist() == list(range(N))
    assert not found.known_id.any()


def test_columns_are_taken_by_their_number_not_by_their_place(tmp_path):
    order = np.random.default_rng(3).permutation(186)
    header = [*(PIXELS[k] for k in order), "z"]
    found = read(write(tmp_path / "a.csv", header, rows(FLUX[:, order], Z)))
    assert found.flux.tolist() == FLUX.astype(np.float32).tolist()
    assert found.z_spec.tolist() == Z.tolist()


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
def test_an_index_column_is_ignored(tmp_path, name):
    found = read(write(tmp_path / "a.csv", [name, "z", *PIXELS], rows(np.arange(N), Z, FLUX)))
    assert found.z_spec.tolist() == Z.tolist()
    assert found.other is None


@pytest.mark.parametrize("name", ["source_id", "SOURCE_ID", "gaia_source_id", "objid", "TARGETID"])
def test_a_source_id_of_nineteen_digits_is_kept_exactly(tmp_path, name):
    found = read(write(tmp_path / "a.csv", [name, "z", *PIXELS], rows(IDS, Z, FLUX)))
    assert found.source_id.dtype == np.int64
    assert found.source_id.tolist() == IDS.tolist()
    assert found.known_id.all()


def test_signs_that_nobody_sees_are_no_part_of_a_name(tmp_path):
    header = ["\u200bsource_id", "z\ufeff", *PIXELS]
    found = read(write(tmp_path / "a.csv", header, rows(IDS, Z, FLUX)))
    assert found.source_id.tolist() == IDS.tolist()
    assert found.z_spec.tolist() == Z.tolist()


def test_an_id_of_letters_is_a_further_column(tmp_path):
    names = np.array([f"NGC {k}" for k in range(N)])
    found = read(write(tmp_path / "a.csv", ["id", "z", *PIXELS], rows(names, Z, FLUX)))
    assert found.source_id.tolist() == list(range(N))
    assert found.other["id"].to_pylist() == names.tolist()


def test_a_missing_source_id_is_replaced_by_the_row_number_without_rounding_the_others(tmp_path):
    body = rows(IDS, Z, FLUX)
    body[3][0] = ""
    found = read(write(tmp_path / "a.csv", ["source_id", "z", *PIXELS], body))
    assert found.source_id.tolist() == [*IDS[:3].tolist(), 3, 8, 9]
    assert found.known_id.tolist() == [True, True, True, False, True, True]


def test_further_columns_are_kept_as_they_are_typed(tmp_path):
    body = rows(np.arange(N) + 10, Z, FLUX, np.full(N, "a, b"), Z / 3)
    found = read(write(tmp_path / "a.csv", ["plate", "z", *PIXELS, "class", "ra"], body))
    assert found.other.column_names == ["plate", "class", "ra"]
    assert found.other["class"].to_pylist() == ["a, b"] * N


def test_a_redshift_of_0_6_does_not_exceed_0_6(tmp_path):
    assert read(write(tmp_path / "a.csv", ["z", *PIXELS], rows(Z, FLUX))).z_spec.max() == 0.6


def test_without_a_redshift_column_every_redshift_is_unknown(tmp_path):
    found = read(write(tmp_path / "a.csv", PIXELS, rows(FLUX)))
    assert np.isnan(found.z_spec).all()
    assert found.flux.shape == (N, 186)


FULL = spectra(N, 240)
KEPT = np.hstack([FULL[:, 34:114], FULL[:, 124:230]]).astype(np.float32)
UNCUT = {
    "flux_0 to flux_239": ["z", *(f"flux_{k}" for k in range(240))],
    "flux_1 to flux_240": ["z", *(f"flux_{k}" for k in range(1, 241))],
    "bp_0 to rp_119": ["z", *(f"bp_{k}" for k in range(120)), *(f"rp_{k}" for k in range(120))],
    "bp_1 to rp_120": ["z", *(f"bp{k}" for k in range(1, 121)), *(f"rp{k}" for k in range(1, 121))],
}


@pytest.mark.parametrize("header", [*UNCUT.values(), None], ids=[*UNCUT, "no header"])
def test_the_uncut_240_pixels_lose_their_ends(tmp_path, header):
    found = read(write(tmp_path / "a.csv", header, rows(Z, FULL)))
    assert found.flux.tolist() == KEPT.tolist()
    assert found.z_spec.tolist() == Z.tolist()
    assert found.other is None


HEADERLESS = {
    "z and flux": (rows(Z, FLUX), True, False),
    "flux only": (rows(FLUX), False, False),
    "id, z and flux": (rows(IDS, Z, FLUX), True, True),
    "z, id and flux": (rows(Z, IDS, FLUX), True, True),
    "id and flux": (rows(IDS, FLUX), False, True),
    "row number, z and flux": (rows(np.arange(N), Z, FLUX), True, False),
    "row number, id, z and flux": (rows(np.arange(N), IDS, Z, FLUX), True, True),
    "pandas' numbered columns": ([[str(k) for k in range(187)], *rows(Z, FLUX)], True, False),
    "pandas' numbered columns and rows": (
        [["", *(str(k) for k in range(187))], *rows(np.arange(N), Z, FLUX)], True, False
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "has_z", "has_id"), HEADERLESS.values(), ids=HEADERLESS)
def test_a_file_without_a_header_is_read_by_position(tmp_path, body, has_z, has_id):
    found = read(write(tmp_path / "a.csv", None, body))
    assert found.flux.tolist() == FLUX.astype(np.float32).tolist()
    assert found.z_spec.tolist() == Z.tolist() if has_z else np.isnan(found.z_spec).all()
    assert found.source_id.tolist() == (IDS.tolist() if has_id else list(range(N)))


DOUBTFUL = {
    "z and 185 fluxes": (rows(Z, FLUX[:, 1:]), "looks like a redshift or an id"),
    "185 fluxes": (rows(FLUX[:, 1:]), "has no header and 185 columns"),
    "four columns before the fluxes": (rows(Z, Z, Z, Z, FLUX), "has no header and 190 columns"),
    "two redshifts": (rows(Z, Z / 2, FLUX), "do not look like one redshift and one source id"),
    "the redshift at the end": (rows(FLUX, Z), "do not look like one redshift"),
}


@pytest.mark.parametrize(("body", "sentence"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_file_without_a_header_is_not_guessed_at(tmp_path, body, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        read(write(tmp_path / "a.csv", None, body))
    assert "--columns z=column_1,flux=column_2:column_187" in str(error.value)


def test_the_columns_of_a_file_without_a_header_can_be_named(tmp_path):
    path = write(tmp_path / "a.csv", None, rows(FLUX, Z))
    found = read(path, "z=column_187,flux=column_1:column_186")
    assert found.z_spec.tolist() == Z.tolist()
    assert found.flux.tolist() == FLUX.astype(np.float32).tolist()


STRANGE = ["my_z", "objname", *(f"c{k}" for k in range(186))]


def test_an_unknown_header_says_how_to_name_the_columns(tmp_path):
    path = write(tmp_path / "a.csv", STRANGE, rows(Z, IDS, FLUX))
    with pytest.raises(InputError, match=r"flux columns were not recognised.*my_z, objname") as e:
        read(path)
    assert "--columns flux=PREFIX{} or flux=FIRST:LAST (and z=NAME)" in str(e.value)


@pytest.mark.parametrize(
    "columns",
    [
        "z=my_z,source_id=objname,flux=c{}",
        "z=my_z,source_id=objname,flux=c",
        "z=MY_Z,source_id=objname,flux=c0:c185",
        {"z": "my_z", "source_id": "objname", "flux": "c0:c79+c80:c185"},
    ],
)
def test_a_mapping_names_the_columns(tmp_path, columns):
    found = read(write(tmp_path / "a.csv", STRANGE, rows(Z, IDS, FLUX)), columns)
    assert found.z_spec.tolist() == Z.tolist()
    assert found.source_id.tolist() == IDS.tolist()
    assert found.flux.tolist() == FLUX.astype(np.float32).tolist()


def test_a_mapping_can_say_that_there_is_no_redshift(tmp_path):
    path = write(tmp_path / "a.csv", ["z", *PIXELS], rows(Z, FLUX))
    assert np.isnan(read(path, "z=none").z_spec).all()


WRONG_MAPPINGS = {
    "z=nothing": "has no column 'nothing' for z",
    "flux=g{}": "flux=g{} fits no column",
    "flux=c0:c9": r"has 10 flux columns \(c0 … c9\); expected 186",
    "flux=c0:c92+c0:c92": "names some columns twice",
    "redshift=my_z": "has no 'redshift'",
    "my_z": "'my_z' has no '='",
}


@pytest.mark.parametrize(("columns", "sentence"), WRONG_MAPPINGS.items())
def test_a_wrong_mapping_is_refused(tmp_path, columns, sentence):
    path = write(tmp_path / "a.csv", STRANGE, rows(Z, IDS, FLUX))
    with pytest.raises(InputError, match=sentence):
        read(path, columns)


def test_two_columns_that_may_be_the_redshift_have_to_be_told_apart(tmp_path):
    path = write(tmp_path / "a.csv", ["z", "redshift", *PIXELS], rows(Z / 2, Z, FLUX))
    with pytest.raises(InputError, match="'z' and 'redshift'; say which"):
        read(path)
    assert read(path, "z=redshift").z_spec.tolist() == Z.tolist()


def test_a_magnitude_called_z_is_never_taken_as_the_redshift_without_a_word(tmp_path):
    header = ["objid", "u", "z", "redshift_best", "z_err", *PIXELS]
    path = write(tmp_path / "a.csv", header, rows(IDS, Z + 19, Z + 17, Z, Z / 9, FLUX))
    seen = preview(path)
    assert seen.mapping["z"] == "none"
    assert seen.likely_z == ["redshift_best"]
    assert "'z' holds values of about 17.4, as magnitudes are" in seen.doubts[0]
    with pytest.raises(InputError, match=r"'z' holds values of about 17\.4.*z=redshift_best"):
        read(path, "z=z")
    assert read(path, "z=redshift_best").z_spec.tolist() == Z.tolist()
    both = write(tmp_path / "b.csv", ["z", "redshift", *PIXELS], rows(Z + 17, Z, FLUX))
    assert preview(both).mapping["z"] == "redshift"
    assert "was not taken" in preview(both).doubts[0]


LIKELY = {
    "zbest": True, "z_best": True, "Z_BEST": True, "redshift_best": True, "zfinal": True,
    "SPEC_Z_1": True, "z_helio": True, "zcmb": True, "photo_z": True, "my_z": True,
    "z_err": False, "zwarning": False, "e_z": False, "zmag": False, "size": False, "g": False,
    "redshift_ugc": False, "redshift_flag": False, "zenith": False, "z_best_lower": False,
}  # fmt: skip


@pytest.mark.parametrize(("name", "may_be"), LIKELY.items())
def test_a_column_that_may_be_the_redshift_is_named(name, may_be):
    found = suggest([name, *PIXELS], rows(Z, FLUX))
    assert (found.mapping["z"], found.likely_z) == ("none", [name] if may_be else [])
    assert suggest([name, *PIXELS], rows(Z + 17, FLUX)).likely_z == []


def test_a_suggestion_knows_the_redshift_where_the_fluxes_have_to_be_named():
    names = ["objid", "redshift", *(f"c{k}" for k in range(186))]
    found = suggest(names, rows(IDS, Z, FLUX))
    assert found.mapping == {"z": "redshift", "source_id": "objid"}
    assert "flux columns were not recognised" in found.problem
    whole = suggest(names, rows(IDS, Z, FLUX), {"flux": "c{}"})
    assert (whole.problem, whole.mapping["z"]) == (None, "redshift")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (PIXELS[:-1], r"has 185 flux columns \(flux_0 … flux_184\); expected 186"),
        (PIXELS[1:], "the flux columns begin at|has 185 flux columns"),
        ([*PIXELS[:57], *PIXELS[58:]], "flux_57 is missing"),
        ([*PIXELS[:57], "flux_58", *PIXELS[58:]], "are both called 'flux_58'"),
        ([f"flux_{k}" for k in range(343)], "XP_SAMPLED"),
        ([f"bp_{k}" for k in range(80)] + [f"rp_{k}" for k in range(100)], "80 BP and 100 RP"),
    ],
)
def test_a_wrong_number_of_flux_columns_is_told(tmp_path, names, sentence):
    path = write(tmp_path / "a.csv", ["z", *names], rows(Z, spectra(N, len(names))))
    with pytest.raises(InputError, match=sentence):
        read(path)


def test_a_second_set_of_numbered_columns_is_left_alone(tmp_path):
    errors = [f"flux_error_{k}" for k in range(186)]
    found = read(write(tmp_path / "a.csv", ["z", *errors, *PIXELS], rows(Z, FLUX / 9, FLUX)))
    assert found.flux.tolist() == FLUX.astype(np.float32).tolist()
    assert found.other is None


def test_the_preview_shows_the_mapping_and_the_first_rows(tmp_path):
    seen = preview(write(tmp_path / "a.csv", ["z", *PIXELS, "ra"], rows(Z, FLUX, Z)))
    assert seen.problem is None
    assert seen.mapping == {"z": "z", "source_id": "none", "flux": "flux_{}"}
    assert seen.other == ["ra"]
    assert seen.head.shape == (5, 188)
    assert seen.head["z"].tolist() == [str(z) for z in Z[:5]]


def test_the_mapping_of_a_preview_reads_the_same_file_alike(tmp_path):
    for header in HEADERS.values():
        path = write(tmp_path / "a.csv", header, rows(Z, FLUX))
        mapping = preview(path).mapping
        assert parse_columns(mapping) == mapping
        assert read(path, mapping).flux.tolist() == FLUX.astype(np.float32).tolist(), mapping


def test_the_preview_of_an_unknown_header_tells_its_columns_and_the_problem(tmp_path):
    path = write(tmp_path / "a.csv", STRANGE, rows(Z, IDS, FLUX))
    seen = preview(path)
    assert "not recognised" in seen.problem
    assert seen.columns == STRANGE
    assert preview(path, "z=my_z,flux=c{}").problem is None
