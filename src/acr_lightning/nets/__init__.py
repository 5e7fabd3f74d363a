"""Plain networks: no Lightning in here."""
