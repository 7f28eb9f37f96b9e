"""Self-contained HTML pages for a person who was not there when a run or a league was."""
