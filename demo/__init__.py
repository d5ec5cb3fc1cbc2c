"""The demo company: its history, its people, and its traffic at work on a running stack."""
