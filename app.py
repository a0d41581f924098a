"""Entry of the dashboard: ``streamlit run app.py``.

Streamlit's server imports this file to find ``app`` (pages plus the HTTP routes for uploads and
downloads); for every visitor, and in AppTest, it executes the file as ``__main__``.
"""

import streamlit as st

from pages.ui import nav, server

if __name__ == "__main__":
    nav.route()
else:
    app = st.App(__file__, routes=server.ROUTES, lifespan=server.lifespan)
