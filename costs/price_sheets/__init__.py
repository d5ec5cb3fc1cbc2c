"""Price sheets of a month, with everything that the research noted beside the prices."""
