"""From class probabilities to states, alerts and events."""
