"""Evaluation of the rules: context, state machine, writing, silences."""
