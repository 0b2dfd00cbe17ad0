"""The pages: each reads its link, asks its view, and draws."""
