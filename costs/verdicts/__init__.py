"""One verdict for one question, with its uncertainty; every page, mail, digest and API answer takes it from here."""
