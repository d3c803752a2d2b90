"""How fast backup and restore are, beside the tools that could do the same."""
