"""Charts as pure functions: rows in, SVG (or a Plotly figure) out. No model, no request, no query.

Small charts are drawn as SVG and need no script; the big ones are figures for Plotly (`figures.py`) in the same look.
"""
