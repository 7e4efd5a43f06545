"""How findings are shown: the style of figures, tables of text, names in words, and parts of the page."""
