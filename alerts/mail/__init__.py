"""Mails: what the mail about one alert says, its links, and its way over SMTP."""
