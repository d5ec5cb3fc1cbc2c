"""How people get in: the door, its back-off, passwords, sessions, and the password asked again."""
