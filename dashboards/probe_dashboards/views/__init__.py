"""From a bundle and a link's parameters to what a page shows: tables and sentences, without streamlit."""
