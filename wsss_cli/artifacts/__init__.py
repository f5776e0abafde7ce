"""The formats on disk; nothing else writes HDF5, PNG, JSON or checkpoints."""
