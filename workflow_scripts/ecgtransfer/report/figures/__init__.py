"""The figures of the findings: one module per table of `findings/`, named after it.

Each has a pure function ``draw``, from the table as `ecgtransfer.compare.findings.read_findings` gives it to a figure
of matplotlib's. What they share is in `style` (colours, marks, axes, legends) and `forest` (rows of cells beside panels
of targets). A table without rows gives a figure that says why there is nothing to show. Series differ in marker or dash
as well as in colour, so that every figure can be read in grey.
"""

FIGURE_MODULES = __name__
"""Where the module of a figure is looked up by the name of its finding."""
