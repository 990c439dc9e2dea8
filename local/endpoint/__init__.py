"""The single loopback endpoint for all AWS clients of the laptop cloud."""
