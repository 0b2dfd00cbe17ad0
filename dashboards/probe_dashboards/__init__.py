"""The viewer: a Streamlit app that reads audit bundles, and asks live models in processes of their own.

It computes nothing itself and does not import torch.
"""

import socket
import sys
from dataclasses import replace
from pathlib import Path

from probe_dashboards.offer import Offer

__all__ = ["Offer", "command"]

# Passed as flags, which take precedence over a .streamlit/config.toml in the working directory.
OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.allowRunOnSave": "false",
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.enableStaticServing": "false",
    "server.maxUploadSize": "10",
    "server.maxWidgetStateSize": "1",
    "server.maxMessageSize": "50",
    "server.disconnectedSessionTTL": "120",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "runner.magicEnabled": "false",
    "runner.postScriptGC": "false",  # before the last of a page is sent; Python searches for garbage by itself
    "logger.hideWelcomeMessage": "true",
    "theme.light.primaryColor": "#0072B2",
    "theme.dark.primaryColor": "#56B4E9",
    "theme.baseRadius": "small",
    "theme.paddingTop": "2.5rem",
}


def command(runs: str | Path, port: int = 8501, host: str = "127.0.0.1", offer: Offer | None = None) -> list[str]:
    """The command that starts the viewer over a folder of audits, or over one audit.

    Args:
        runs: the folder
        port: to listen on
        host: the address to listen on; without a password, so any but this machine's lets others read the audits
            and ask the models of the lab
        offer: the models of the lab
    """
    flags = OPTIONS | {"server.address": host, "server.port": str(port)}
    app = Path(__file__).with_name("app.py")
    return [
        *(sys.executable, "-m", "probe_dashboards", "run", str(app)),
        *(f"--{name}={value}" for name, value in flags.items()),
        # Against DNS rebinding: a foreign page whose name resolves to this machine is not accepted as the viewer's own.
        *(f"--server.allowedHosts={name}" for name in dict.fromkeys(("127.0.0.1", "localhost", _named(host)))),
        *("--", *replace(offer or Offer(), runs=str(Path(runs).resolve())).flags()),
    ]


def _named(host: str) -> str:
    """The host name in a browser's address bar when the viewer listens on this address."""
    # A wildcard address such as 0.0.0.0 never stands in an address bar.
    return socket.gethostname() if host in ("", "0.0.0.0", "::") else host.strip("[]")
