"""Charts as functions from plain rows to SVG or a Plotly figure, without models, requests or queries.

Small charts are SVG and need no script; big ones are figures for Plotly (`figures.py`) in the same style.
"""
