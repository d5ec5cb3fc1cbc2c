"""The menu: one tree of sections and pages, and what is made from it."""
