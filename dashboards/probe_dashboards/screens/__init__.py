"""The pages: each reads its link, asks its view for the data, and draws it.

The folder is not called `pages`: Streamlit takes a folder of that name for pages of its own until the app has run
once, and the first link that is opened would lead to an empty page.
"""
