"""Sign-in: its page, the back-off after failures, passwords, sessions, and asking for the password again."""
