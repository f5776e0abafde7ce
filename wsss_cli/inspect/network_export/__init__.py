"""``wsss export-network``: a trained network for other programs, with its model card."""
