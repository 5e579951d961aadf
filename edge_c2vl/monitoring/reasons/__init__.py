"""One small state machine for each reason that the alert policy watches for. Pure, as the policy is."""
