"""The laptop cloud: stand-ins on one machine for the AWS services that the pipeline uses."""
