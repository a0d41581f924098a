"""Build hook: the wheel carries the dashboard and the demo survey too, an editable install not."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DASHBOARD = ("app.py", "pages", "data/demo", ".streamlit")


class WheelContents(BuildHookInterface):
    """Put the dashboard where ``runs.dashboard_root`` finds it in an installed package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the dashboard's files to a standard wheel."""
        if version == "standard":
            inside = {name: f"redshift_core/dashboard/{name}" for name in DASHBOARD}
            build_data["force_include"].update(inside)
