"""What a stage will take: time, disk and memory, for ``--dry-run``."""
