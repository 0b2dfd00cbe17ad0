"""From evidence to findings, one module per aspect. No torch."""
