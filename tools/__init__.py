"""Small scripts that make the course from its sources: ``python -m tools.<name>``, one job each."""
