"""The one loopback endpoint that every AWS client of the laptop cloud talks to."""
