"""Other people's servers with the same face network, to be measured beside the gateway."""
