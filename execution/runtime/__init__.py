"""What any process needs: clock, tasks, bus, codec, sqlite, locks, logs, config. Knows nothing of trading."""
