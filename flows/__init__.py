"""flows: when things run; they know DVC, git and Prefect, and no model code."""
