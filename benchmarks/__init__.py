"""The numbers, by command. Each benchmark prints a table; RESULTS.md keeps the last ones with the commands."""
