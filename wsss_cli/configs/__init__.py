"""Settings of each stage; the command line reads its defaults here."""
