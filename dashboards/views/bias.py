"""bias."""
