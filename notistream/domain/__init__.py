"""Pure decisions: no clock, no network, no database; everything a decision needs is an argument."""
