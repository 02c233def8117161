"""What a run leaves behind: `posterior.nc`, a report in one HTML file, a table and a summary."""
