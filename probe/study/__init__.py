"""Many methods over many examples."""
