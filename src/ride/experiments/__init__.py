"""The experiments: the demonstration and what the documents report."""
