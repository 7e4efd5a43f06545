"""The findings of a study, a room each: its tables, how they are computed, its figure, its caption, its words.

`contents` lists them, `asked` reads what they request, `given` hands it to them, `computing` and `drawing` write their
files, and `readme` describes these. Every other module is a finding and imports no other one, so that an edit of
one makes that one again: its tables where the edit concerns what `compute` uses, its figure where it concerns `draw`,
and the page. A finding has

``TABLES``
    Its tables by the name of the file, as `ecgtransfer.compare.tables.TableForm`.
``compute``
    Returns them. Its parameters name what it is given, from what is in `given` and the tables of others.
``draw``, ``CAPTION``
    If there is a figure: from tables by their names, as parameters, to a figure of matplotlib's. ``{percent}``,
    ``{margin}`` and ``{replicates}`` in the caption are replaced by the values of the config.
``on_page``
    If it has words of its own on the page: from its tables to an `ecgtransfer.exhibits.page_parts.Part`, or None where
    it has nothing to show.
"""
