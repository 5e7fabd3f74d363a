"""What the operating system gives: processes, signals, locks, memory, a pool of workers."""
