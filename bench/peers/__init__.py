"""What the gateway is measured beside: other servers on the same weights and pictures."""
