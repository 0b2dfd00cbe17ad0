"""Attacks of other packages, under the contract of probe's own."""
