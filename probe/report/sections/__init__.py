"""One module per chapter: a bundle in, a Section out."""
