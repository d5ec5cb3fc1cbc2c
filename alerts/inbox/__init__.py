"""Alerts as people see them: list, one alert, acts, history, silences."""
