"""The job around the transforms: reading, checking, counting and writing."""
