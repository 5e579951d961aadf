"""How the models that the project ships are made: settings (.yaml), and the public commands in order (.sh)."""
