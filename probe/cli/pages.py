"""The report page of a bundle that may be foreign."""

from typing import Any

from probe.errors import IntegrityError, ProbeError


def drawn(bundle: Any) -> str:
    """The report page of a bundle that may be foreign."""
    from jinja2 import TemplateError

    from probe.audit.verification import MALFORMED
    from probe.report import render

    try:
        return render(bundle)
    except IntegrityError:
        raise
    except (ProbeError, *MALFORMED, TemplateError) as error:
        raise IntegrityError(
            f"no page can be drawn of {bundle.folder} ({type(error).__name__}: {error}): it is not what an audit "
            "wrote, or this installation of probe is damaged"
        ) from error
