"""Figures: what is drawn where, with titles and units, and no background of their own."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redshift_core import figures, reference
from redshift_core.evaluation.bins import bin_edges, binned_by_brightness
from redshift_core.evaluation.statistics import AverageSpectrum, redshift_plane
from redshift_core.store.records import Bin, StressLine
from tests.pages.made_up import stress_lines

WAVELENGTH = np.concatenate([np.linspace(366, 660, 80), np.linspace(640, 996, 106)])
FLUX = np.linspace(1, 5, 186)
BINS = [
    {"z_low": 0.0, "z_high": 0.05, "n": 10, "mean_error": 0.02, "std": 0.03, "sem": 0.01},
    {"z_low": 0.05, "z_high": 0.1, "n": 1, "mean_error": 0.01, "std": None, "sem": None},
    {"z_low": 0.1, "z_high": 0.15, "n": 0, "mean_error": None, "std": None, "sem": None},
]
BINS = [Bin.from_dict(one, Path()) for one in BINS]


def averages(n=10):
    return [
        AverageSpectrum(0.0, 0.1, n, 50, FLUX, FLUX * 0.1),
        AverageSpectrum(0.1, 0.2, 0, 0, FLUX * np.nan, FLUX * np.nan),
    ]


def every_figure():
    edges, counts = redshift_plane(np.full(5, 0.1), np.full(5, 0.12), 200)
    fine = bin_edges(0.01)
    return {
        "histogram": figures.redshift_histogram(
            fine, np.arange(60), reference.redshift_histogram()
        ),
        "spectrum": figures.spectrum({"raw": FLUX}, WAVELENGTH, lines_at={"z_spec": 0.1}),
        "average": figures.average_flux(averages(), WAVELENGTH, published=reference.average_flux()),
        "published": figures.published_averages(reference.average_flux(), WAVELENGTH),
        "both": figures.true_and_predicted(fine, np.arange(60), np.arange(60)),
        "redshift_plane": figures.redshift_plane(edges, counts),
        "errors": figures.error_per_bin(BINS, reference.table_3(), show_ugc=True, other=BINS),
        "by brightness": figures.error_per_bin(
            binned_by_brightness([0.1] * 9, [0.2] * 9, np.arange(1, 10), 3),
            axis="brightness",
            percentiles=True,
            chosen=(1.0, 4.0),
        ),
        "strokes": figures.mean_and_std(BINS, reference.table_3()),
        "loss": figures.learning_curve(reference.history().head(5), "loss", reference.history()),
        "runs": figures.validation_curves({"a": reference.history()}, reference.history()),
        "biases": figures.bias_of_runs({"a": BINS}, reference.table_3()),
        "extremes": figures.column_extremes(
            reference.recovered_minmax(), reference.simulated_minmax()
        ),
        "split": figures.split_parts((6, 3, 1), reference.N_SPLIT),
        "stress": figures.stress_ratios(
            [StressLine.from_dict(one, Path()) for one in stress_lines() * 3]
        ),
    }


@pytest.mark.parametrize("name", list(every_figure()))
def test_every_figure_titles_both_axes_sets_its_height_and_paints_no_background(name):
    figure = every_figure()[name]
    assert figure.layout.xaxis.title.text
    assert figure.layout.yaxis.title.text
    assert figure.layout.height >= 300
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    json.loads(figure.to_json())


def test_histogram_bars_sit_in_the_middle_of_their_bins():
    figure = figures.redshift_histogram(np.array([0.0, 0.1, 0.2]), np.array([3, 4]))
    assert list(figure.data[0].x) == pytest.approx([0.05, 0.15])
    assert list(figure.data[0].y) == [3, 4]


def test_the_published_histogram_is_drawn_with_the_same_total():
    edges = bin_edges(0.01)
    counts = np.full(60, 100)
    published = reference.redshift_histogram()
    figure = figures.redshift_histogram(edges, counts, published)
    width = (published.z_high - published.z_low).to_numpy()
    drawn = np.asarray(figure.data[1].y) * width / 0.01
    assert np.nansum(drawn) == pytest.approx(counts.sum())


def test_an_empty_histogram_draws_no_published_curve():
    empty = np.zeros(60, int)
    figure = figures.redshift_histogram(bin_edges(0.01), empty, reference.redshift_histogram())
    assert len(figure.data) == 1


def test_all_galaxies_stay_behind_the_selected_ones_and_can_be_brushed():
    edges = np.array([0.0, 0.1, 0.2])
    figure = figures.redshift_histogram(edges, np.array([3, 4]), selected=np.array([0, 2]))
    assert [trace.name for trace in figure.data] == ["all galaxies", "current selection"]
    assert list(figure.data[1].y) == [0, 2]
    assert (figure.layout.barmode, figure.layout.dragmode) == ("overlay", "select")
    assert figures.redshift_histogram(edges, np.array([3, 4])).layout.dragmode is None


def test_a_cumulative_histogram_counts_up_to_each_bin_and_the_published_one_ends_alike():
    edges = bin_edges(0.01)
    figure = figures.redshift_histogram(
        edges, np.full(60, 10), reference.redshift_histogram(), log=True, cumulative=True
    )
    assert list(figure.data[0].y) == [10 * n for n in range(1, 61)]
    assert np.nanmax(np.asarray(figure.data[1].y, float)) == pytest.approx(600)
    assert figure.layout.yaxis.type == "log"


def test_no_line_is_drawn_across_the_seam():
    (trace,) = figures.spectrum({"raw": FLUX}, WAVELENGTH).data
    assert np.flatnonzero(np.isnan(np.asarray(trace.y, float))).tolist() == [80]
    assert list(trace.x[:80]) == WAVELENGTH[:80].tolist()
    assert list(trace.x[81:]) == WAVELENGTH[80:].tolist()
    assert not trace.connectgaps


def test_the_first_spectrum_lies_on_top_of_the_others_and_the_spread_beneath():
    flux = {f"row {row}": FLUX + row for row in range(13)}
    figure = figures.spectrum(flux, WAVELENGTH, spread=(FLUX - 1, FLUX + 1))
    names = [trace.name for trace in figure.data]
    assert names == ["68 % of similar galaxies", *reversed(flux)]
    assert len({trace.line.color for trace in figure.data[1:]}) == 13


def test_an_area_is_closed_in_each_band():
    figure = figures.spectrum({"raw": FLUX}, WAVELENGTH, spread=(FLUX - 1, FLUX + 1))
    y = np.asarray(figure.data[0].y, float)
    assert y[:80].tolist() == (FLUX[:80] + 1).tolist()
    assert y[80:160].tolist() == (FLUX[:80] - 1)[::-1].tolist()
    assert np.flatnonzero(np.isnan(y)).tolist() == [160, 373]


def test_lines_at_two_redshifts_are_told_apart_and_both_in_the_legend():
    figure = figures.spectrum({"raw": FLUX}, WAVELENGTH, lines_at={"z_spec": 0.1, "z_phot": 0.12})
    colour = {shape.x0: shape.line.color for shape in figure.layout.shapes}
    assert colour[656.5 * 1.1] != colour[656.5 * 1.12]
    assert [note.text for note in figure.layout.annotations].count("Hα") == 1
    legend = [trace.name for trace in figure.data[1:]]
    assert legend == ["lines at z_spec = 0.1000", "lines at z_phot = 0.1200"]


def test_rest_frame_lines_are_redshifted_and_lines_outside_are_left_out():
    places = figures.line_positions(WAVELENGTH, 0.5)
    assert places["Hα"] == pytest.approx([656.5 * 1.5])
    assert "[S II]" not in places  # at 1008.8 nm, beyond 996


def test_a_line_in_the_overlap_of_both_bands_is_marked_in_both_on_the_pixel_axis():
    places = figures.line_positions(WAVELENGTH, 0.0, by_pixel=True)
    in_bp, in_rp = places["Hα"]
    assert in_bp == pytest.approx((656.5 - 366) / (660 - 366) * 79)
    assert in_rp == pytest.approx(80 + (656.5 - 640) / (996 - 640) * 105)


def test_a_spectrum_with_missing_flux_is_still_drawn():
    flux = FLUX.copy()
    flux[:100] = np.nan
    json.loads(figures.spectrum({"raw": flux}, WAVELENGTH, by_pixel=True).to_json())


def test_an_empty_range_is_not_drawn():
    names = {trace.name for trace in figures.average_flux(averages(), WAVELENGTH).data}
    assert "0 ≤ z < 0.1" in names
    assert "0.1 ≤ z < 0.2" not in names


def test_published_average_curves_are_scaled_to_the_peak_of_the_first_range():
    figure = figures.average_flux(
        averages(), WAVELENGTH, bands="", published=reference.average_flux()
    )
    drawn = [t for t in figure.data if t.name == "published 0–0.1"]
    top = max(np.nanmax(np.asarray(trace.y, float)) for trace in drawn)
    assert top == pytest.approx(FLUX.max() * reference.average_flux()["z_0.0_0.1"].max())


def test_averages_can_be_drawn_relative_to_their_peaks():
    figure = figures.average_flux(
        averages(), WAVELENGTH, at_peak=True, published=reference.average_flux()
    )
    area, line, *published = figure.data
    assert np.nanmax(np.asarray(line.y, float)) == pytest.approx(1)
    assert np.nanmax(np.asarray(area.y, float)) == pytest.approx(1.1)
    assert all(np.nanmax(np.asarray(t.y, float)) == pytest.approx(1) for t in published)
    assert "highest value" in figure.layout.yaxis.title.text


def test_the_redshift_plane_colours_the_logarithm_and_leaves_empty_cells_out():
    edges, counts = redshift_plane(np.array([0.05] * 100), np.array([0.15] * 100), n_bins=6)
    figure = figures.redshift_plane(edges, counts)
    z = np.asarray(figure.data[0].z)
    assert z[1, 0] == pytest.approx(2.0)
    assert np.isnan(z).sum() == 35
    assert list(figure.data[1].x) == list(figure.data[1].y) == [0.0, 0.6]


def test_the_redshift_plane_of_nothing_is_drawn():
    edges, counts = redshift_plane(np.array([]), np.array([]), n_bins=10)
    json.loads(figures.redshift_plane(edges, counts).to_json())


def test_error_bars_carry_sigma_and_bins_without_sources_are_not_drawn():
    figure = figures.error_per_bin(BINS)
    trace = figure.data[0]
    assert list(trace.y) == [0.02, 0.01]
    assert list(trace.x) == pytest.approx([0.025, 0.075])
    assert trace.error_y.array[0] == 0.03
    assert np.isnan(trace.error_y.array[1])


def test_each_point_of_the_error_figure_carries_the_limits_of_its_bin():
    figure = figures.error_per_bin(BINS)
    assert figure.data[0].customdata[:, :2].tolist() == [[0.0, 0.05], [0.05, 0.1]]


def test_the_chosen_bin_is_shaded_and_the_chosen_box_outlined():
    shade = figures.error_per_bin(BINS, chosen=(0.05, 0.1)).layout.shapes[-1]
    assert (shade.type, shade.x0, shade.x1) == ("rect", 0.05, 0.1)
    edges, counts = redshift_plane(np.array([0.1]), np.array([0.1]), 10)
    (box,) = figures.redshift_plane(edges, counts, box=(0.1, 0.2, 0.3, 0.4)).layout.shapes
    assert (box.x0, box.x1, box.y0, box.y1) == (0.1, 0.2, 0.3, 0.4)
    assert not figures.redshift_plane(edges, counts).layout.shapes


def test_the_running_median_lies_on_the_redshift_plane():
    lines = pd.DataFrame({"x": [0.1, 0.2], "p16": [0.0, 0.1], "p50": [0.1, 0.2], "p84": [0.2, 0.3]})
    edges, counts = redshift_plane(np.array([0.1]), np.array([0.1]), 10)
    figure = figures.redshift_plane(edges, counts, percentiles=lines)
    drawn = {trace.name: list(trace.y) for trace in figure.data if trace.name}
    assert drawn["median z_phot"] == [0.1, 0.2]
    assert drawn["16 and 84 %"] == [0.2, 0.3]


def test_brightness_is_drawn_on_a_logarithmic_axis_with_the_middle_of_its_bins():
    bins = binned_by_brightness([0.1] * 4, [0.2, 0.3, 0.2, 0.3], [1.0, 2.0, 3.0, 16.0], 1)
    figure = figures.error_per_bin(bins, axis="brightness", percentiles=True)
    assert figure.layout.xaxis.type == "log"
    (points,) = [trace for trace in figure.data if trace.name == "this run"]
    assert list(points.x) == pytest.approx([4.0])  # √(1 · 16)
    band = figure.data[0]
    assert list(band.y) == pytest.approx([bins[0].p16_error, bins[0].p84_error])


def test_error_figure_of_no_bin_at_all_is_drawn():
    json.loads(figures.error_per_bin([]).to_json())


def test_the_ugc_points_say_that_they_were_read_off_a_figure():
    figure = figures.error_per_bin(BINS, reference.table_3(), axis="z_phot", show_ugc=True)
    assert any("read off a figure" in trace.name for trace in figure.data)
    assert "z_phot" in figure.layout.xaxis.title.text


@pytest.mark.parametrize("count", [0, 1, 6, 12])
def test_there_are_as_many_range_colours_as_ranges(count):
    assert len(set(figures.range_colours(count))) == count


def test_a_figure_of_simulated_data_says_so_itself():
    marked = figures.mark_simulated(
        figures.published_averages(reference.average_flux(), WAVELENGTH)
    )
    assert [note.text for note in marked.layout.annotations].count("SIMULATED") == 1


def test_curves_of_a_run_are_solid_and_the_published_ones_dotted():
    figure = figures.learning_curve(reference.history().head(5), "mae", reference.history())
    assert [trace.line.dash for trace in figure.data] == ["solid", "solid", "dot", "dot"]
    assert [len(trace.x) for trace in figure.data] == [5, 5, 40, 40]
    assert figure.data[1].y[0] == pytest.approx(0.02448, abs=5e-6)


def test_a_run_without_an_epoch_draws_only_the_published_curves():
    empty = reference.history().head(0)
    figure = figures.learning_curve(empty, "loss", reference.history())
    assert [trace.name for trace in figure.data] == ["training, published", "validation, published"]


def test_eight_runs_differ_in_colour_and_in_symbol():
    runs = {str(number): reference.history().head(2) for number in range(8)}
    traces = figures.validation_curves(runs).data
    assert len({trace.line.color for trace in traces}) == 8
    assert len({trace.marker.symbol for trace in traces}) == 8


def test_a_stroke_is_as_wide_as_its_bin_and_an_empty_bin_has_none():
    mean, std = figures.mean_and_std(BINS).data
    assert list(mean.x[:3]) == [0.0, 0.05, None]
    assert list(mean.y[:3]) == [0.02, 0.02, None]
    assert all(value is None or np.isnan(value) for value in [*mean.y[6:], *std.y[3:]])


def test_bias_leaves_out_empty_bins():
    (run,) = [t for t in figures.bias_of_runs({"a": BINS}).data if t.name == "a"]
    assert list(run.x) == pytest.approx([0.025, 0.075])


def test_the_split_is_drawn_as_shares_of_the_rows():
    figure = figures.split_parts((6, 3, 1), (63, 27, 10))
    assert [list(bar.x) for bar in figure.data] == [[63, 60], [27, 30], [10, 10]]


def test_published_and_simulated_mean_spectra_share_a_small_figure_for_each_range():
    published, simulated = reference.average_flux_absolute(), reference.simulated_average_flux()
    figure = figures.absolute_averages(published, simulated, WAVELENGTH)
    assert [trace.name for trace in figure.data] == ["published", "SIMULATED"] * 6
    assert [trace.showlegend for trace in figure.data] == [True, True] + [False] * 10
    for number, name in enumerate(published.columns[1:]):
        grey, blue = figure.data[2 * number : 2 * number + 2]
        assert grey.xaxis == blue.xaxis
        for trace, table in ((grey, published), (blue, simulated)):
            assert np.isnan(trace.x[80])  # nothing is drawn across the seam
            np.testing.assert_array_equal(np.delete(trace.y, 80), table[name])
    assert len({trace.xaxis for trace in figure.data}) == 6
    assert figure.layout.annotations[5].text == "0.5 ≤ z < 0.6"


def test_extremes_of_columns_are_drawn_highest_left_and_lowest_right():
    known, made = reference.recovered_minmax(), reference.simulated_minmax()
    figure = figures.column_extremes(known, made)
    for trace, values in zip(
        figure.data, (known.high, made.high, known.low, made.low), strict=True
    ):
        np.testing.assert_array_equal(np.delete(trace.y, 80), values)
    assert [trace.name for trace in figure.data] == ["published", "SIMULATED"] * 2
