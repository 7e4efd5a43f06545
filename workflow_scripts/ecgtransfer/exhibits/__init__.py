"""With what findings are shown: the style of figures, tables of text, names in words, and what stands on the page."""
