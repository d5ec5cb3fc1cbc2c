"""What of texts and rows is kept: redaction, erasure, retention."""
