"""Pure counts and scores."""
