"""The live page: a server for this machine's browser, and the files that it serves."""
