"""The live run: threads, queues, load control."""
