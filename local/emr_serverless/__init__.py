"""EMR Serverless on the laptop: its API, applications, job runs and their resource usage."""
