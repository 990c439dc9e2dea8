"""IAM on the laptop: who calls, what the call needs, and whether the caller's policies allow it."""
