"""What each function does: read, decide in the core, save on a condition, act. One module per function."""
