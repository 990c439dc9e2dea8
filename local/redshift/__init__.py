"""The Redshift Data API on the laptop: Redshift's SQL, executed by DuckDB."""
