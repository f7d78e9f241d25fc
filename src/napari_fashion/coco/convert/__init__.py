"""Other formats: a registry of readers and one of writers, one format a file."""
