"""The page of a bundle, whoever wrote the bundle."""

from typing import Any

from probe.errors import IntegrityError, ProbeError


def drawn(bundle: Any) -> str:
    """The page of a bundle, whoever wrote the bundle."""
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
