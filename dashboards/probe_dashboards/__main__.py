"""The process of the viewer: Streamlit's command line, beside which the app's modules are loaded."""

from streamlit.web import cli

from probe_dashboards import loading

if __name__ == "__main__":
    loading.begin()
    cli.main(prog_name="streamlit")
