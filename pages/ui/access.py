"""Who may use the routes beside the pages, and whether a visitor sits at this machine.

Streamlit checks the pages' WebSocket: its Host is one of ``server.allowedHosts``, and its Origin is
the same host, a name of this machine, ``browser.serverAddress`` or one of
``server.corsAllowedOrigins``. The routes follow the same rule, so a file can be sent wherever the
pages work; and they refuse what the browser itself says comes from another site.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st
from streamlit import config, net_util

TRUST_PROXY = "REDSHIFT_LAB_TRUST_PROXY"  # 1: X-Forwarded-Host is set by a proxy of our own
LOGIN = "REDSHIFT_LAB_LOGIN"  # 1: visitors sign in, as .streamlit/secrets.toml says
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PROXIED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")  # headers


def refusal(headers: Mapping[str, str]) -> str:
    """Sentence that refuses a request; empty for one that may pass.

    Parameters
    ----------
    headers : mapping
        Of the request; names in lower case, or found whatever their case.
    """
    hosts = [headers.get("host", "")]
    if trusts_proxy() and (forwarded := headers.get("x-forwarded-host", "")):
        hosts.append(forwarded.split(",")[-1].strip())  # the last one is the nearest proxy's
    for host in hosts:
        if not _is_allowed(host):
            return (
                f"This server does not answer under the name {host[:100]!r}; whoever runs it can "
                "add the name to server.allowedHosts in .streamlit/config.toml."
            )
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "Only this dashboard's own pages may do that."
    origin = headers.get("origin")
    if origin is not None and not _is_own(origin, hosts):
        return (
            f"Only this dashboard's own pages may do that, and it does not know {origin[:100]!r} "
            "as its own address; if you see this on its page, whoever runs it can name that "
            "address in browser.serverAddress, or let the proxy hand on the Host header."
        )
    return ""


def trusts_proxy() -> bool:
    """Whether ``$REDSHIFT_LAB_TRUST_PROXY`` says that X-Forwarded-Host comes from our own proxy."""
    return os.environ.get(TRUST_PROXY, "") not in ("", "0")


def signed_in() -> bool:
    """Whether the visitor may see the pages; else, as ``$REDSHIFT_LAB_LOGIN`` asks, a button."""
    if os.environ.get(LOGIN, "") in ("", "0") or st.user.get("is_logged_in"):
        return True
    st.title("Redshift Lab")
    st.markdown("Sign in to use this dashboard.")
    st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
    return False


def is_local() -> bool:
    """Whether the visitor sits at this machine, and so has its files anyway.

    Behind a proxy nobody is taken to: what listens on the loopback is then reached from elsewhere.
    """
    address = config.get_option("server.address") or ""
    if not (address == "localhost" or address.startswith("127.") or address == "::1"):
        return False
    elsewhere = {_hostname(name) for name in config.get_option("server.allowedHosts") or ["*"]}
    elsewhere |= _own_names()
    if trusts_proxy() or not elsewhere <= set(LOOPBACK):
        return False
    headers = {name.lower(): value for name, value in st.context.headers.items()}
    came_from = _hostname(headers.get("origin", "localhost"))
    return came_from in LOOPBACK and not any(name in headers for name in PROXIED)


def _is_allowed(host: str) -> bool:
    """Whether a Host header is one of ``server.allowedHosts``; where these are empty, any is."""
    patterns = config.get_option("server.allowedHosts")
    bare = "" if set(host) & set("/?#@\\") else _hostname(f"//{host}").rstrip(".")
    return not patterns or any(
        bare and fnmatch.fnmatchcase(bare, pattern.strip().lower().rstrip("."))
        for pattern in patterns
    )


def _is_own(origin: str, hosts: list[str]) -> bool:
    """Whether an Origin header names this dashboard."""
    if not config.get_option("server.enableCORS"):
        return True
    name, netloc = _hostname(origin), origin.partition("://")[2].lower()
    if not name:
        return False
    # A forwarded name often comes without its port.
    return (
        netloc in [host.lower() for host in hosts]
        or name in [host.lower() for host in hosts[1:]]
        or name
        in (_own_names() | {"localhost", "127.0.0.1", "0.0.0.0", net_util.get_internal_ip()})
    )


def _own_names() -> set[str]:
    """Names that the configuration gives this dashboard."""
    named = [
        config.get_option("browser.serverAddress"),
        *config.get_option("server.corsAllowedOrigins"),
    ]
    return {_hostname(one) for one in named if one}


def _hostname(address: str) -> str:
    """Host of an address, with or without a scheme, in lower case; empty where it has none."""
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        _ = parts.port  # refuses one that is no number
        return "" if "@" in parts.netloc else parts.hostname or ""
    except ValueError:
        return ""
