"""WHAT GOES OUT: flows, leads, deliveries, keys; rules, actions and the outbox."""
