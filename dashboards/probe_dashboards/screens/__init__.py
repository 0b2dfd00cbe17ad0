"""The pages: each reads its link, asks its view, and draws.

Not called `pages`: a folder of that name beside the app is a set of pages to Streamlit, by its own older rules, until
the app has run once, and the first link that is opened would end on an empty one.
"""
