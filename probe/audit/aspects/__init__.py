"""From evidence to findings, a module per way of looking. No torch."""
