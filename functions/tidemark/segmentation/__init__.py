"""The demo's own domain: the model of customer segments, in words, in storage and in answers."""
