"""What several exports say of a finding."""

from probe.finding import Finding
from probe.statuses import look
from probe.text import visible


def sentence(finding: Finding) -> str:
    """A finding in one line: its status, its numbers, and what the status rests on."""
    written = finding.written()
    asked = f", asked for {written.threshold}" if written.threshold else ""
    n = f", n = {written.n}" if written.n else ""
    note = f": {finding.note}" if finding.note else ""
    return visible(f"{look(finding.status).word}: {finding.check}: {written.estimate}{asked}{n}{note}")
