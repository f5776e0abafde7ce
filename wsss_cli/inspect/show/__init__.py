"""``wsss show``: what a run holds, what of it is stale, and what any one file is."""
