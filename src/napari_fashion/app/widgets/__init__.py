"""The docks and what they are made of, one widget a file."""
