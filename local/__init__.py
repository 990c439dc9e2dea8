"""The laptop cloud: what AWS does for the pipeline, on one machine."""
