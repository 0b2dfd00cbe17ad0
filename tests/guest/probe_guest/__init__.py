"""One method of each kind, a page each: what somebody outside of probe writes, and all that they write."""
