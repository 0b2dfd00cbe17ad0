"""Explainers of other packages, asked about the same features and judged by the same metrics as probe's own."""
