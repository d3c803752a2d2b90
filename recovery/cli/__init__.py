"""`recover …`: parses, calls a flow, prints."""
