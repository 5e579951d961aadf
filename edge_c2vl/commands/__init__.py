"""Commands that need only what goes into the vehicle; one file a command."""
