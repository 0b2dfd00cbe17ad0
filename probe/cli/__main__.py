"""`python -m probe.cli`."""

from probe.cli import main

main()
