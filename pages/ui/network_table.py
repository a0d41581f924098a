"""What a configuration amounts to before it starts: its layers, parameters and cost."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.ui.display import table
from pages.ui.text import count
from redshift_core import reference
from redshift_core.config import RunConfig
from redshift_core.errors import InputError
from redshift_core.layers import LayerRow, layer_table


def show_network(config: RunConfig) -> bool:
    """Parameter count and layer table; False, with the reason, where no network can be built."""
    try:
        rows = layer_table(config.model, config.scaler.name)
    except InputError as error:
        st.error(str(error))
        return False
    n_parameters = sum(row.n_parameters for row in rows)
    n_flops = sum(row.n_flops for row in rows)
    same = " (the dissertation's own number)" if n_parameters == reference.N_PARAMETERS else ""
    st.markdown(
        f"**{count(n_parameters)} trainable parameters**{same}; "
        f"{n_flops / 1e6:.1f} million operations per spectrum forward."
    )
    with st.expander("Layer table"):
        show_layers(rows, n_parameters)
    return True


def show_layers(rows: list[LayerRow], n_parameters: int, name: str = "layers") -> None:
    """Layer table with its download; ``name`` is the file's."""
    frame = pd.DataFrame(
        {
            "layer": [row.name for row in rows],
            "kind": [row.kind for row in rows],
            "output": [" × ".join(map(str, row.output_shape)) for row in rows],
            "parameters": [row.n_parameters for row in rows],
            "operations": [row.n_flops for row in rows],
        }
    )
    table(
        frame,
        name,
        "Output shape of one spectrum; operations of one spectrum forward, a multiply-add "
        "counted as two.",
        alt=f"Layer table with {count(n_parameters)} parameters in all",
        formats={"parameters": "localized", "operations": "localized"},
    )
