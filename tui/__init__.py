"""The interfaces: the terminal app and the command line. No HTTP, JSON or file layout is known here."""
