"""What a job run does around the transforms: reading, checking, counting and writing."""
