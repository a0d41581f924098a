"""Which pixels mattered to one redshift, under the spectrum they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from redshift_core.constants import wavelength
from redshift_core.figures.frame import AMBER, BLUE, GREY, RED
from redshift_core.figures.spectra import spectrum

EXPLANATION_CAPTION = (
    "Above: the galaxy and the {like}, scaled to its brightness; e⁻ s⁻¹ per pixel. Below, in units "
    "of z and above zero where pixels raise the redshift: {answer} minus that with a group of "
    "pixels replaced by the mean spectrum, lifted to meet the galaxy's at both ends (bars), and "
    "the gradient times the difference of the two spectra, summed over the group (diamonds). It "
    "shows what the network went by, not that it is right."
)
HEIGHT = 560  # px


def explanation(result: Mapping[str, Any]) -> go.Figure:
    """Spectrum with rest-frame lines, and the effect of each group of pixels on the redshift.

    Parameters
    ----------
    result : mapping
        Of the job ``explain``; a density adds how much wider it is without the group.
    """
    nm, groups = wavelength(), result["groups"]
    z_spec = result["z_spec"]
    lines = {result["answer"]: result["z"], **({} if z_spec is None else {"z_spec": z_spec})}
    flux = {"this galaxy": np.array(result["flux"]), "mean spectrum": np.array(result["like_flux"])}
    figure = spectrum(flux, nm, lines_at=lines)
    centre = np.array([(nm[first] + nm[last]) / 2 for first, last in groups])
    width = np.array([nm[last] - nm[first] for first, last in groups])
    effect, narrowing = np.array(result["occlusion"]), result["narrowing"]
    summed = [sum(result["gradient"][first : last + 1]) for first, last in groups]
    hover = "%{x:.0f} nm: %{y:+.5f}"
    figure.add_bar(
        x=centre, y=effect, width=width, yaxis="y2", name="effect of replacing the group",
        marker={"color": np.where(effect > 0, RED, BLUE).tolist()}, hovertemplate=hover,
    )  # fmt: skip
    figure.add_scatter(
        x=centre, y=summed, yaxis="y2", name="gradient × difference", mode="markers",
        marker={"symbol": "diamond", "color": AMBER, "size": 6}, hovertemplate=hover,
    )  # fmt: skip
    if narrowing is not None:
        figure.add_scatter(
            x=centre, y=narrowing, yaxis="y2", name="p(z) wider without the group", mode="lines",
            line={"color": GREY, "shape": "hvh"}, hovertemplate=hover,
        )  # fmt: skip
    figure.update_layout(
        height=HEIGHT,
        yaxis={"domain": [0.5, 1]},
        yaxis2={"domain": [0, 0.42], "anchor": "x", "title": "Effect in z", "automargin": True},
        xaxis={"anchor": "y2"},
        bargap=0,
    )
    return figure
