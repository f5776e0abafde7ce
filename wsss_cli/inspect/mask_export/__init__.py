"""``wsss export``: label maps in the formats of other tools, one format a module."""
