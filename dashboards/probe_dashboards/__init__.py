"""The auditor's viewer: a Streamlit app that reads bundles and computes nothing. It starts without torch."""

import socket
import sys
from pathlib import Path

__all__ = ["command"]

# Given as flags, which win over any .streamlit/config.toml of the folder that the viewer is started in.
OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.allowRunOnSave": "false",
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.enableStaticServing": "false",
    "server.maxUploadSize": "1",
    "server.maxWidgetStateSize": "1",
    "server.maxMessageSize": "50",
    "server.disconnectedSessionTTL": "120",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "runner.magicEnabled": "false",
    "logger.hideWelcomeMessage": "true",
    "theme.light.primaryColor": "#0072B2",
    "theme.dark.primaryColor": "#56B4E9",
    "theme.baseRadius": "small",
    "theme.paddingTop": "2.5rem",
    "theme.metricValueFontSize": "1.75rem",
}


def command(runs: str | Path, port: int = 8501, host: str = "127.0.0.1") -> list[str]:
    """The command that starts the viewer over a folder of audits, or over one audit.

    Args:
        runs: the folder
        port: to listen on
        host: the address to listen on; there is no password, so anything but this machine lets others read the audits
    """
    flags = OPTIONS | {"server.address": host, "server.port": str(port)}
    app = Path(__file__).with_name("app.py")
    return [
        *(sys.executable, "-m", "streamlit", "run", str(app)),
        *(f"--{name}={value}" for name, value in flags.items()),
        # A page that gives this machine a name of its own would else be let in as if it were the viewer's.
        *(f"--server.allowedHosts={name}" for name in dict.fromkeys(("127.0.0.1", "localhost", _named(host)))),
        *("--", str(Path(runs).resolve())),
    ]


def _named(host: str) -> str:
    """The name that a browser asks for where the viewer listens on an address."""
    # An address that stands for all of them is none that anybody asks for.
    return socket.gethostname() if host in ("", "0.0.0.0", "::") else host.strip("[]")
