"""Pure functions from a bundle and a link's parameters to what a page shows: tables and sentences."""
