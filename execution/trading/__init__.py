"""One account being traded: cycles, assistants, exits, recovery. Sees no process, no lock and no exchange library."""
